/* SPDX-License-Identifier: Apache-2.0 */
/* What a schema version is made of; for this folder only. Constant once its set is complete. */
#ifndef SLUICE_AVRO_VERSION_H
#define SLUICE_AVRO_VERSION_H

#include <avro.h>
#include <jansson.h>
#include <stdint.h>

#include "avro/set.h"
#include "avro/shape.h"

struct avro_version {
    const char *name;
    int number;
    int32_t id;
    const char *sha256;
    const char *text;
    const struct shape *shape; /* a record */
    json_t *json;              /* owned; shape borrows its defaults */
    avro_schema_t schema;      /* owned */
    avro_value_iface_t
        *iface; /* owned; makes generic values. Its reference count is atomic, its values are not shareable */
};

#endif
