/* SPDX-License-Identifier: Apache-2.0 */
/* The five bytes in front of a body, and avro-c's reader and writer behind them. For this folder only. */
#ifndef SLUICE_AVRO_FRAME_H
#define SLUICE_AVRO_FRAME_H

#include <avro.h>

#include "avro/codec.h"
#include "avro/version.h"

/* RC_REJECT: longer than max_bytes. writer is one made by avro_writer_memory; its destination changes. */
enum rc frame_write(const struct avro_version *v, avro_value_t *value, avro_writer_t writer, struct arena *a,
                    size_t max_bytes, const void **out_bytes, size_t *out_n, struct err *err) MUST_USE;

/*
 * Reads a body whose version is known into value, which is of that version. The bytes are checked before avro-c gets
 * them. reader is one made by avro_reader_memory; its source changes.
 */
enum rc frame_read(const struct avro_version *v, const void *bytes, size_t n, bool refuse_nul, avro_reader_t reader,
                   avro_value_t *value, struct err *err) MUST_USE;

#endif
