/* Preloaded, it shifts the clock of a process by SHIFT_S seconds, and only that one: libfaketime also shifts what threads wait
   for, so they oversleep. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, at);
    const char *by = getenv("SHIFT_S");
    if (id == CLOCK_REALTIME && by) at->tv_sec += atoi(by);
    return done;
}
