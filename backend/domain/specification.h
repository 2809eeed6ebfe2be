/*
 * Service specifications (TMF633) as the domain knows them: characteristics
 * with type, cardinality, allowed values, range and regular expression, and
 * the check of an order item's characteristics against them.
 */
#ifndef TURNUP_DOMAIN_SPECIFICATION_H
#define TURNUP_DOMAIN_SPECIFICATION_H

#include "backend/base/json.h"

typedef struct specification specification_t;

/* doc: a serviceSpecification as stored (TMF633 specCharacteristic etc.; the
 * nested object characteristics of conf/catalog are described by
 * characteristicValueSpecification or by a "properties" extension, see
 * conf/catalog/README.md). text is copied. NULL with *err: not usable (a
 * regular expression that does not compile, ...). */
specification_t *specification_parse(str_t doc, const char **err);
/* NULL-safe. */
void specification_free(specification_t *s);
str_t specification_id(const specification_t *s);
str_t specification_version(const specification_t *s);
str_t specification_name(const specification_t *s);
str_t specification_href(const specification_t *s);
bool specification_is_active(const specification_t *s); /* may be ordered */
const json_t *specification_doc(const specification_t *s);

typedef struct {
    char pointer[256]; /* of the characteristic: "/internetService/..." */
    char message[256];
} specification_error_t;

/*
 * characteristics: object name → value. partial: only what is there is
 * checked (modify by difference). null is absent. Characteristics the
 * specification does not know are let through unless it is closed. true:
 * fine.
 */
bool specification_check(const specification_t *s,
                         const json_t *characteristics, bool partial,
                         specification_error_t *err);
/* Writes the object (or NULL) with absent characteristics filled from
 * isDefault values to out. */
void specification_defaults(const specification_t *s,
                            const json_t *characteristics, buf_t *out);

#endif
