/*
 * turnup.conf: what every pool is told. Read once, by the supervisor; a
 * child keeps the copy it was forked with.
 */
#ifndef TURNUP_POOLS_SETTINGS_H
#define TURNUP_POOLS_SETTINGS_H

#include "backend/base/log.h"
#include "backend/base/redis.h"
#include "backend/southbound/address.h"

#define SETTINGS_MAX_POOLS 64
/* Of one API. All of three are fewer than SUBSCRIPTION_LIST_MAX. */
#define SETTINGS_MAX_SUBSCRIPTIONS 3000

typedef struct {
    char *name;    /* "intake", "family" (default of all), "family:voip" */
    int processes; /* 0: not given */
    int batch;     /* most members of one batch; 0: not given */
} pool_settings_t;

typedef struct {
    redis_address_t redis;
    char *prefix;   /* of every Redis key */
    char *postgres; /* libpq connection string */
    char *families; /* directories */
    char *catalog;
    char *sql;
    char *public_base; /* callback URLs begin with it; no trailing slash */
    char *host;        /* this machine's name, in slots and heartbeats */
    log_level_t log_level;
    int list_timeout_ms;     /* a list that takes longer is refused */
    bool paused;             /* family pools take no work */
    networks_t hub_networks; /* private ones that callbacks and URLs
                                of jobs may be in */
    int hub_subscriptions;   /* most of one API */
    char *import_directory;  /* of file: URLs; empty: none are taken */
    char *export_directory;
    pool_settings_t pools[SETTINGS_MAX_POOLS];
    int pool_count;
} settings_t;

/* false with a message of the form "file:line: what" in err. */
bool settings_read(settings_t *s, const char *path, char *err, size_t size);
void settings_free(settings_t *s);
/* Of pool "intake", "family:voip" ...: its own value, else that of its kind
 * ("family"), else the default (1 process, batches of 256). */
int settings_processes(const settings_t *s, const char *pool);
int settings_batch(const settings_t *s, const char *pool);

#endif
