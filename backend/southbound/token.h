/*
 * Callback tokens: which activation, and which visit of a state, a vendor's
 * answer belongs to; unguessable (HMAC-SHA256, cut to 128 bits, under the
 * installation's secret).
 */
#ifndef TURNUP_SOUTHBOUND_TOKEN_H
#define TURNUP_SOUTHBOUND_TOKEN_H

#include "backend/base/uuid.h"
#include "proto/buf.h"

/* "<activation>.<visit>.<32 hexadecimal digits>" */
void token_print(str_t secret, uuid_t activation, int visit, buf_t *out);
/* false: not one of ours. */
bool token_read(str_t secret, str_t token, uuid_t *ret_activation,
                int *ret_visit);

#endif
