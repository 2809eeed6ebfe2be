/*
 * Latencies in fixed memory: a histogram with buckets of less than one per
 * cent of their value.
 */
#ifndef TURNUP_T_BENCH_HISTOGRAM_H
#define TURNUP_T_BENCH_HISTOGRAM_H

#define HISTOGRAM_SUB  128 /* buckets for each doubling */
#define HISTOGRAM_LOGS 28  /* doublings: up to 2^34 us, which is hours */

typedef struct {
    unsigned long total;
    unsigned long buckets[(HISTOGRAM_LOGS + 1) * HISTOGRAM_SUB];
} histogram_t;

/* us: microseconds; below zero counts as zero, above the range as its end. */
void histogram_add(histogram_t *h, long long us);
/* The value, in milliseconds, that this share (0 to 1) does not exceed; 0
 * when there are none. */
double histogram_ms(const histogram_t *h, double share);

#endif
