/*
 * turnupd migrate: the schema, the installation's secret, the catalog's files
 * and the resource pools, brought to where this version wants them. May be
 * run at any time, also twice at once.
 */
#ifndef TURNUP_POOLS_MIGRATE_H
#define TURNUP_POOLS_MIGRATE_H

#include "backend/pools/settings.h"

/* The process's exit code; says on standard error what it did. */
int migrate_main(const settings_t *s);

#endif
