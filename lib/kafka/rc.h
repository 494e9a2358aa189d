/* SPDX-License-Identifier: Apache-2.0 */
/* What an error of librdkafka asks for. */
#ifndef SLUICE_KAFKA_RC_H
#define SLUICE_KAFKA_RC_H

#include <librdkafka/rdkafka.h>

#include "base/err.h"

/*
 * Errors outside transactions: transport, time-out, leader changes: RETRY. Message too large, invalid record: REJECT.
 * Fenced: FENCED. Unknown topic, authorisation, configuration: FATAL.
 */
enum rc kafka_rc(rd_kafka_resp_err_t code);

/* Fills *err with the name and text of code, after the formatted prefix. Returns kafka_rc(code). */
enum rc kafka_fail(struct err *err, rd_kafka_resp_err_t code, const char *detail, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#endif
