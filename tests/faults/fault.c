/* Preloaded into the program: the Nth call that changes a disk below one folder, or reads from it, fails or kills.
 *
 * The calls of all processes of a run are counted together, in a file that they share, so that N is a point of the
 * whole run and not of one worker. tests/faults/faults.py writes the file and says what each field means. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CREATE, WRITE, CLOSE, SYNC, RENAME, LINK, MKDIR, UNLINK, TRUNCATE, CLONE, LOCK, OPEN, READ };
enum { COUNT, FAIL, KILL_ALL, KILL_ONE, KILL_FIRST, CUT_POWER, CUT_POWER_LOG_KEPT };

struct order {
    _Atomic int64_t n_calls; /* of the kinds asked for, below the root, in all processes */
    _Atomic int64_t n_fired;
    int64_t at;      /* the call that fails, from 1; 0: none */
    int64_t kinds;   /* a bit each */
    int32_t action;
    int32_t error;
    int32_t persists; /* every call from then on fails, too */
    char root[PATH_MAX];
};

static struct order *order;

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("REBALANCE_FAULT");
    int descriptor = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0)
        return;
    void *shared = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (shared != MAP_FAILED)
        order = shared;
    syscall(SYS_close, descriptor);
}

static int is_below_root(const char *path)
{
    size_t length = strlen(order->root);
    return length && !strncmp(path, order->root, length) && (path[length] == '/' || !path[length]);
}

static const char *path_of(int descriptor, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
    return path;
}

static int is_ours(int descriptor, const char *path)
{
    char held[PATH_MAX];
    if (path && path[0] == '/')
        return is_below_root(path);
    if (descriptor == AT_FDCWD)
        return is_below_root(getcwd(held, sizeof held) ? held : "");
    return is_below_root(path_of(descriptor, held));
}

static void end_of_it(void)
{
    if (order->action == KILL_ONE)
        kill(getpid(), SIGKILL);
    if (order->action == KILL_FIRST)
        kill(getpgrp(), SIGKILL);
    int is_cut = order->action == CUT_POWER || order->action == CUT_POWER_LOG_KEPT;
    if (is_cut) { /* FS_IOC_SHUTDOWN: what is written to no disk yet is gone, with or without the log of names */
        uint32_t flags = order->action == CUT_POWER ? 2 : 1;
        int descriptor = (int)syscall(SYS_openat, AT_FDCWD, order->root, O_RDONLY | O_DIRECTORY);
        syscall(SYS_ioctl, descriptor, 0x8004587d, &flags);
    }
    if (order->action == KILL_ALL || is_cut)
        kill(0, SIGKILL);
}

/* Count a call; return whether it is to fail. */
static int fires(int kind, int descriptor, const char *path)
{
    if (!order || !(order->kinds >> kind & 1) || !is_ours(descriptor, path))
        return 0;
    int64_t n = atomic_fetch_add(&order->n_calls, 1) + 1;
    if (!order->at || n < order->at || (n > order->at && !order->persists))
        return 0;
    atomic_fetch_add(&order->n_fired, 1);
    if (order->action == FAIL) {
        errno = order->error;
        return 1;
    }
    end_of_it();
    return 0;
}

static int kind_of(int flags)
{
    return flags & O_CREAT ? CREATE : OPEN;
}

#define OPENING(name)                                                     \
    int name(const char *path, int flags, ...)                            \
    {                                                                     \
        REAL(name);                                                       \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;         \
        va_end(rest);                                                     \
        return fires(kind_of(flags), AT_FDCWD, path) ? -1 : real(path, flags, mode); \
    }

#define OPENING_AT(name)                                                  \
    int name(int folder, const char *path, int flags, ...)                \
    {                                                                     \
        REAL(name);                                                       \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;         \
        va_end(rest);                                                     \
        return fires(kind_of(flags), folder, path) ? -1 : real(folder, path, flags, mode); \
    }

OPENING(open)
OPENING(open64)
OPENING_AT(openat)
OPENING_AT(openat64)

#define OF_PATH(name, kind, parameters, arguments)  \
    int name parameters                             \
    {                                               \
        REAL(name);                                 \
        return fires(kind, AT_FDCWD, path) ? -1 : real arguments; \
    }
#define OF_PATH_AT(name, kind, parameters, arguments) \
    int name parameters                               \
    {                                                 \
        REAL(name);                                   \
        return fires(kind, folder, path) ? -1 : real arguments; \
    }
#define OF_DESCRIPTOR(type, name, kind, parameters, arguments) \
    type name parameters                                       \
    {                                                          \
        REAL(name);                                            \
        return fires(kind, descriptor, NULL) ? -1 : real arguments; \
    }

OF_PATH(rename, RENAME, (const char *old, const char *path), (old, path))
OF_PATH_AT(renameat, RENAME, (int other, const char *old, int folder, const char *path), (other, old, folder, path))
OF_PATH_AT(renameat2, RENAME, (int other, const char *old, int folder, const char *path, unsigned flags),
           (other, old, folder, path, flags))
OF_PATH(link, LINK, (const char *old, const char *path), (old, path))
OF_PATH_AT(linkat, LINK, (int other, const char *old, int folder, const char *path, int flags),
           (other, old, folder, path, flags))
OF_PATH(symlink, LINK, (const char *old, const char *path), (old, path))
OF_PATH_AT(symlinkat, LINK, (const char *old, int folder, const char *path), (old, folder, path))
OF_PATH(mkdir, MKDIR, (const char *path, mode_t mode), (path, mode))
OF_PATH_AT(mkdirat, MKDIR, (int folder, const char *path, mode_t mode), (folder, path, mode))
OF_PATH(unlink, UNLINK, (const char *path), (path))
OF_PATH(rmdir, UNLINK, (const char *path), (path))
OF_PATH_AT(unlinkat, UNLINK, (int folder, const char *path, int flags), (folder, path, flags))
OF_DESCRIPTOR(ssize_t, write, WRITE, (int descriptor, const void *data, size_t n), (descriptor, data, n))
OF_DESCRIPTOR(ssize_t, pwrite, WRITE, (int descriptor, const void *data, size_t n, off_t at), (descriptor, data, n, at))
OF_DESCRIPTOR(ssize_t, pwrite64, WRITE, (int descriptor, const void *data, size_t n, off64_t at),
              (descriptor, data, n, at))
OF_DESCRIPTOR(ssize_t, read, READ, (int descriptor, void *data, size_t n), (descriptor, data, n))
OF_DESCRIPTOR(int, fsync, SYNC, (int descriptor), (descriptor))
OF_DESCRIPTOR(int, fdatasync, SYNC, (int descriptor), (descriptor))
OF_DESCRIPTOR(int, syncfs, SYNC, (int descriptor), (descriptor))
OF_DESCRIPTOR(int, ftruncate, TRUNCATE, (int descriptor, off_t length), (descriptor, length))
OF_DESCRIPTOR(int, ftruncate64, TRUNCATE, (int descriptor, off64_t length), (descriptor, length))
OF_DESCRIPTOR(int, flock, LOCK, (int descriptor, int operation), (descriptor, operation))

int close(int descriptor)
{
    REAL(close);
    int flags = order && order->kinds >> CLOSE & 1 ? fcntl(descriptor, F_GETFL) : 0;
    int is_written_to = flags > 0 && flags & (O_WRONLY | O_RDWR);
    if (is_written_to && fires(CLOSE, descriptor, NULL)) { /* as the system does: the descriptor is free all the same */
        int error = errno;
        real(descriptor);
        errno = error;
        return -1;
    }
    return real(descriptor);
}

int ioctl(int descriptor, unsigned long request, ...)
{
    REAL(ioctl);
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return request == 0x40049409 /* FICLONE */ && fires(CLONE, descriptor, NULL) ? -1 : real(descriptor, request, argument);
}
