/* SPDX-License-Identifier: Apache-2.0 */
/* The Avro schemas this program was built with, parsed. */
#ifndef SLUICE_SCHEMAS_AVRO_SET_H
#define SLUICE_SCHEMAS_AVRO_SET_H

#include "avro/set.h"
#include "base/err.h"

/* Once per process; the caller frees with avro_set_free. RC_FATAL: the embedded files contradict each other. */
enum rc schemas_avro_set(struct avro_set **out_set, struct err *err) MUST_USE;

#endif
