/* SPDX-License-Identifier: Apache-2.0 */
/* JSON -> avro-c value, strictly. For this folder only. */
#ifndef SLUICE_AVRO_FILL_H
#define SLUICE_AVRO_FILL_H

#include <avro.h>
#include <jansson.h>

#include "avro/place.h"
#include "avro/shape.h"
#include "base/err.h"

/*
 * Sets v, which must be of the schema that s was made from. Missing record fields take their default.
 * RC_REJECT: names the field (below `here`, which may be NULL) and the type it should have; v is then half filled.
 */
enum rc fill_value(const struct shape *s, const json_t *j, avro_value_t *v, const struct place *here,
                   struct err *err) MUST_USE;

#endif
