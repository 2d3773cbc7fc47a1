/* Preloaded only into the varied build of `cargo xtask reproduce`: changes the date, the host name and the order of
   files in a folder. Has no effect on statically linked programs. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

#ifdef KEEP_CLOCK
static const time_t ahead = 0;
#else
/* In the future, because build tools loop on files that are newer than the clock. */
static const time_t ahead = (400L * 24 + 7) * 3600 + 11 * 60 + 13;
#endif

static int is_wall_clock(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == 5 /* CLOCK_REALTIME_COARSE */ || clock == 11 /* CLOCK_TAI */;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    int result;
    if (!real) real = REAL("clock_gettime", int (*)(clockid_t, struct timespec *));
    result = real(clock, now);
    if (result == 0 && is_wall_clock(clock)) now->tv_sec += ahead;
    return result;
}

EXPORT time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}

int gettimeofday(struct timeval *, void *);
EXPORT int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

EXPORT int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

/* Converts a deadline to the kernel's clock. Deadlines of the monotonic clock are small numbers. */
static const struct timespec *real_time(const struct timespec *until, struct timespec *buffer) {
    if (!until || until->tv_sec < 1000000000) return until;
    *buffer = *until;
    buffer->tv_sec -= ahead;
    return buffer;
}

EXPORT int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
    typedef int (*wait_until)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    static wait_until real;
    struct timespec buffer;
#ifdef __GLIBC__
    if (!real) real = (wait_until)dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
#endif
    if (!real) real = REAL("pthread_cond_timedwait", wait_until);
    return real(cond, mutex, real_time(until, &buffer));
}

EXPORT int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
    static int (*real)(pthread_mutex_t *, const struct timespec *);
    struct timespec buffer;
    if (!real) real = REAL("pthread_mutex_timedlock", int (*)(pthread_mutex_t *, const struct timespec *));
    return real(mutex, real_time(until, &buffer));
}

EXPORT int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    static int (*real)(sem_t *, const struct timespec *);
    struct timespec buffer;
    if (!real) real = REAL("sem_timedwait", int (*)(sem_t *, const struct timespec *));
    return real(semaphore, real_time(until, &buffer));
}

static const char host[] = XTASK_HOST;

EXPORT int gethostname(char *name, size_t size) {
    if (size < sizeof host) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, host, sizeof host);
    return 0;
}

/* Programs with _FORTIFY_SOURCE call this. */
int __gethostname_chk(char *, size_t, size_t);
EXPORT int __gethostname_chk(char *name, size_t size, size_t room) {
    (void)room;
    return gethostname(name, size);
}

EXPORT int uname(struct utsname *names) {
    static int (*real)(struct utsname *);
    int result;
    if (!real) real = REAL("uname", int (*)(struct utsname *));
    result = real(names);
    if (result == 0) memcpy(names->nodename, host, sizeof host);
    return result;
}

/* All entries of an open folder. */
struct list {
    struct list *next;
    DIR *folder;
    void **entries;
    size_t count, at;
};
static struct list *lists;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void forget(DIR *folder) {
    struct list **place = &lists;
    pthread_mutex_lock(&lock);
    while (*place && (*place)->folder != folder) place = &(*place)->next;
    if (*place) {
        struct list *list = *place;
        *place = list->next;
        while (list->count) free(list->entries[--list->count]);
        free(list->entries);
        free(list);
    }
    pthread_mutex_unlock(&lock);
}

static struct list *find(DIR *folder) {
    struct list *list = lists;
    while (list && list->folder != folder) list = list->next;
    return list;
}

/* readdir64 is a separate function on glibc, and an alias on musl. */
#define READDIR(name, entry)                                                                        \
    EXPORT struct entry *name(DIR *folder) {                                                        \
        static struct entry *(*real)(DIR *);                                                        \
        struct list *list;                                                                          \
        struct entry *found = NULL;                                                                 \
        if (!real) real = REAL(#name, struct entry *(*)(DIR *));                                    \
        pthread_mutex_lock(&lock);                                                                  \
        list = find(folder);                                                                        \
        if (!list && (list = calloc(1, sizeof *list))) {                                            \
            size_t room = 0;                                                                        \
            while ((found = real(folder))) {                                                        \
                if (list->count == room) {                                                          \
                    void **more = realloc(list->entries, (room = room * 2 + 64) * sizeof(void *));  \
                    if (!more) abort();                                                             \
                    list->entries = more;                                                           \
                }                                                                                   \
                if (!(list->entries[list->count] = calloc(1, sizeof *found))) abort();              \
                memcpy(list->entries[list->count++], found,                                         \
                       found->d_reclen < sizeof *found ? found->d_reclen : sizeof *found);          \
            }                                                                                       \
            list->folder = folder;                                                                  \
            list->next = lists;                                                                     \
            lists = list;                                                                           \
        }                                                                                           \
        if (!list) abort();                                                                         \
        if (list->at < list->count) found = list->entries[list->count - ++list->at];                \
        pthread_mutex_unlock(&lock);                                                                \
        return found;                                                                               \
    }
READDIR(readdir, dirent)
#ifdef __GLIBC__
READDIR(readdir64, dirent64)
#endif

EXPORT int closedir(DIR *folder) {
    static int (*real)(DIR *);
    if (!real) real = REAL("closedir", int (*)(DIR *));
    forget(folder);
    return real(folder);
}

EXPORT void rewinddir(DIR *folder) {
    static void (*real)(DIR *);
    if (!real) real = REAL("rewinddir", void (*)(DIR *));
    forget(folder);
    real(folder);
}

EXPORT long telldir(DIR *folder) {
    struct list *list;
    long at;
    pthread_mutex_lock(&lock);
    list = find(folder);
    at = list ? (long)list->at : 0;
    pthread_mutex_unlock(&lock);
    return at;
}

EXPORT void seekdir(DIR *folder, long at) {
    struct list *list;
    pthread_mutex_lock(&lock);
    list = find(folder);
    if (list && at >= 0 && (size_t)at <= list->count) list->at = (size_t)at;
    pthread_mutex_unlock(&lock);
}
