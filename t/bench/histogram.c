/*
 * Latencies in fixed memory. Values below HISTOGRAM_SUB have a bucket each;
 * above, each doubling is cut in HISTOGRAM_SUB parts.
 */
#include "t/bench/histogram.h"

#define SUB_BITS 7 /* 2^SUB_BITS == HISTOGRAM_SUB */
#define BUCKETS  ((HISTOGRAM_LOGS + 1) * HISTOGRAM_SUB)

static int
bucket_of(unsigned long long us)
{
    if (us < HISTOGRAM_SUB) {
        return (int) us;
    }

    int doubling = 63 - __builtin_clzll(us) - SUB_BITS;
    int bucket = (doubling << SUB_BITS) + (int) (us >> doubling);

    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The middle of a bucket, in microseconds. */
static double
value_of(int bucket)
{
    int doubling = bucket / HISTOGRAM_SUB - 1;

    if (doubling < 0) {
        return bucket;
    }
    return (bucket % HISTOGRAM_SUB + HISTOGRAM_SUB + 0.5) *
           (double) (1ULL << doubling);
}

void
histogram_add(histogram_t *h, long long us)
{
    h->buckets[bucket_of(us > 0 ? (unsigned long long) us : 0)]++;
    h->total++;
}

double
histogram_ms(const histogram_t *h, double share)
{
    double rank = share * (double) h->total;
    unsigned long seen = 0;
    int i = 0;

    if (h->total == 0) {
        return 0;
    }
    while (i < BUCKETS - 1 && (double) (seen += h->buckets[i]) < rank) {
        i++;
    }
    return value_of(i) / 1000;
}
