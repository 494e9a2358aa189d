/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings every Kafka client of sluice shares, from the options kafka.brokers and kafka.* (given to librdkafka as
 * they are). Logs of librdkafka go through log.h with the same rate limit as ours.
 */
#ifndef SLUICE_KAFKA_CONF_H
#define SLUICE_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/option.h"

/*
 * Keys the protocols rely on (transactional.id, isolation.level and others) are refused when the user gives them.
 * client becomes client.id ("sluice-relay"). The caller owns *out_conf until it is given to rd_kafka_new.
 * FATAL with code ERR_CONFIG, the key and librdkafka's reason when a setting is refused.
 */
enum rc kafka_conf_create(const struct config *cfg, const char *client, rd_kafka_conf_t **out_conf,
                          struct err *err) MUST_USE;

/* Sets one key unless the user has set it with kafka.KEY: for what may be tuned. */
enum rc kafka_conf_default(rd_kafka_conf_t *conf, const struct config *cfg, const char *key, const char *value,
                           struct err *err) MUST_USE;

/* Sets one key; FATAL when refused. */
enum rc kafka_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value, struct err *err) MUST_USE;

/* Creates the client and consumes conf in every case. *out_rk is destroyed with kafka_destroy. */
enum rc kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **out_rk, struct err *err) MUST_USE;

/*
 * A consumer that reads, or asks about, what it is told to and is no member of a group: kafka_conf_create, these
 * settings (key, value) over it, kafka_new. FATAL when one is refused.
 */
enum rc kafka_reader_new(const struct config *cfg, const char *client, const char *const settings[][2], size_t n,
                         rd_kafka_t **out_rk, struct err *err) MUST_USE;

void kafka_destroy(rd_kafka_t *rk); /* accepts NULL; does not wait for outstanding messages */
void kafka_destroyp(rd_kafka_t **rk);
void kafka_list_freep(rd_kafka_topic_partition_list_t **list); /* for CLEANUP; accepts NULL in it */

/* prefix + name, e.g. "t1." + "callback.events"; heap memory the caller frees. */
char *kafka_topic_name(const struct config *cfg, const char *name) MUST_USE;

#endif
