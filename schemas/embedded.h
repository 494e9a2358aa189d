/* SPDX-License-Identifier: Apache-2.0 */
/* The data contract's files as they were when the program was built. Bytes are followed by a NUL that `size` does not
 * count. */
#ifndef SLUICE_SCHEMAS_EMBEDDED_H
#define SLUICE_SCHEMAS_EMBEDDED_H

#include <stddef.h>

struct embedded {
    const char *name; /* file name without folder */
    const char *text;
    size_t size;
};

extern const struct embedded SCHEMAS_SQL[]; /* schemas/sql, in version order */
extern const size_t SCHEMAS_SQL_n;
extern const struct embedded SCHEMAS_AVRO[]; /* schemas/avro */
extern const size_t SCHEMAS_AVRO_n;
extern const struct embedded SCHEMAS_JSON[]; /* sources.json, ids.json, posting.json, templates.json */
extern const size_t SCHEMAS_JSON_n;

/* NULL when there is none of that name. */
const struct embedded *embedded_find(const struct embedded *files, size_t n, const char *name);

#endif
