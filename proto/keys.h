/*
 * Names in Redis: public API, documented in README.
 */
#ifndef TURNUP_PROTO_KEYS_H
#define TURNUP_PROTO_KEYS_H

#define KEY_PREFIX "turnup:" /* default; configurable on both sides */

#define KEY_REQUEST       "req:" /* + api: request streams */
#define KEY_REQUEST_GROUP "intake"
#define KEY_FAMILY        "fam:" /* + family: hints to a family's pool */
#define KEY_FAMILY_GROUP  "family"
#define KEY_REPLY         "rep:"    /* + nginx worker instance */
#define KEY_DEAD          "dead:"   /* + stream: what could not be done */
#define KEY_EVENTS        "evt"     /* hints to the notifier */
#define KEY_WORKER        "worker:" /* + pool:host:pid, heartbeat with TTL */
/* Sorted set of "<pool>:<host>:<pid>", score = ms since the epoch until which
 * the heartbeat is good: lets a reader find the live workers without SCAN. */
#define KEY_WORKERS "workers"

#define HEARTBEAT_EVERY_MS 1000
#define HEARTBEAT_TTL_MS   3500

/* Most entries a request stream may hold before the edge answers 503. */
#define REQUEST_STREAM_MAX 100000
/* Kept in a reply stream; a reader that is further behind has timed out. */
#define REPLY_STREAM_MAX 1000

#endif
