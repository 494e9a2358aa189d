/* SPDX-License-Identifier: Apache-2.0 */
/* Embedded files -> schema set. */
#include "schemas/avro_set.h"

#include "base/mem.h"
#include "schemas/embedded.h"

enum rc schemas_avro_set(struct avro_set **out_set, struct err *err)
{
    const struct embedded *ids = embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "ids.json");
    if (ids == NULL) {
        FAIL(err, RC_FATAL, "ids.json is not built in");
    }
    CLEANUP(freep) struct avro_file *files = xcalloc(SCHEMAS_AVRO_n, sizeof(*files));
    for (size_t i = 0; i < SCHEMAS_AVRO_n; i++) {
        const struct embedded *e = &SCHEMAS_AVRO[i];
        files[i] = (struct avro_file){.name = e->name, .text = e->text, .size = e->size};
    }
    return avro_set_create(files, SCHEMAS_AVRO_n, ids->text, ids->size, out_set, err);
}
