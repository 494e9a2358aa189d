/* SPDX-License-Identifier: Apache-2.0 */
/* An avro-c value as JSON text, the way avro_decode_json documents it. For this folder only. */
#ifndef SLUICE_AVRO_PRINT_H
#define SLUICE_AVRO_PRINT_H

#include <avro.h>

#include "avro/shape.h"
#include "base/buf.h"

/* Appends; whether it fitted stands in out->overflow. v must be of the schema that s was made from. */
void print_value(const struct shape *s, const avro_value_t *v, struct buf *out);

#endif
