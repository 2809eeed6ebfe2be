/*
 * TMF's list of characteristics as the domain has it, an object.
 */
#ifndef TURNUP_TMF_CHARACTERISTICS_H
#define TURNUP_TMF_CHARACTERISTICS_H

#include "backend/base/json.h"
#include "proto/error.h"

/* Of one service; far above any catalog, and it bounds the look-ups. */
#define SERVICE_MAX_CHARACTERISTICS 1024

/*
 * {"name":value,...} in a, values as they are spelt. list: the value of
 * serviceCharacteristic, NULL for none; pointer: where it stands in its
 * document. false with *err 400: it is no list, it has more than
 * SERVICE_MAX_CHARACTERISTICS, an entry has no name or no value, two have the
 * same name.
 */
bool characteristics_from_tmf(arena_t *a, const json_t *list,
                              const char *pointer, str_t *ret,
                              tmf_error_t *err);

#endif
