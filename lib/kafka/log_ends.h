/* SPDX-License-Identifier: Apache-2.0 */
/* How many partitions a topic has, and where the log of each begins and ends. */
#ifndef SLUICE_KAFKA_LOG_ENDS_H
#define SLUICE_KAFKA_LOG_ENDS_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#include "base/err.h"

/* *out_n 0: there is no such topic; anything else that Kafka says of it is an error. Blocks for at most wait_ms. */
enum rc kafka_topic_partitions(rd_kafka_t *rk, rd_kafka_topic_t *rkt, int wait_ms, int *out_n,
                               struct err *err) MUST_USE;

/*
 * Asks the partition's leader. A partition that was made or moved just now has none that knows of it yet: asked again
 * for up to wait_ms. With isolation.level=read_committed the end is the stable one. Blocks for at most twice wait_ms.
 */
rd_kafka_resp_err_t kafka_log_ends(rd_kafka_t *rk, const char *topic, int32_t partition, int wait_ms,
                                   int64_t *out_start, int64_t *out_end);

#endif
