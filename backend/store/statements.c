/*
 * The table of prepared statements.
 */
#include "backend/store/statements.h"

const char store_setup[] =
    "SELECT set_config('plan_cache_mode', 'force_generic_plan', false),"
    " set_config('enable_seqscan', 'off', false),"
    " set_config('enable_hashjoin', 'off', false),"
    " set_config('enable_mergejoin', 'off', false),"
    " set_config('enable_bitmapscan', 'off', false),"
    " set_config('jit', 'off', false)";

const pg_statement_t store_statements[] = {
#define S(name) {#name, sql_##name},
    STATEMENTS(S)
#undef S
        {NULL, NULL},
};
