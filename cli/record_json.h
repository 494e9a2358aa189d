/* SPDX-License-Identifier: Apache-2.0 */
/* Records as people and jq see them: one line of JSON each. */
#ifndef SLUICE_CLI_RECORD_JSON_H
#define SLUICE_CLI_RECORD_JSON_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>

#include "avro/set.h"
#include "base/buf.h"
#include "base/err.h"

#define RECORD_JSON_POISON_BYTES 1024 /* of a malformed value are shown */

/*
 * Appends a value: framed Avro decoded; a JSON object or array as it is (on one line); other text as a string; bytes
 * that are no text as {"base64": "..."}; NULL as null. RC_REJECT: it begins as framed Avro does but is malformed;
 * nothing is appended then.
 */
enum rc value_json(const struct avro_set *set, const void *bytes, size_t n, struct buf *out, struct err *err) MUST_USE;

/*
 * Appends the whole record: topic, partition, offset, timestamp, key, headers (an object; pairs when a name repeats),
 * value. RC_REJECT: the value is malformed; the line is complete nevertheless, with error, value_bytes and value_base64
 * (the first RECORD_JSON_POISON_BYTES) in place of value. RC_FATAL: larger than out's ceiling.
 */
enum rc record_json(const struct avro_set *set, const rd_kafka_message_t *msg, struct buf *out,
                    struct err *err) MUST_USE;

#endif
