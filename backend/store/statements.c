/*
 * The table of prepared statements.
 */
#include "backend/store/statements.h"

const pg_statement_t store_statements[] = {
#define S(name) {#name, sql_##name},
    STATEMENTS(S)
#undef S
        {NULL, NULL},
};
