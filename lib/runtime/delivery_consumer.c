/* SPDX-License-Identifier: Apache-2.0 */
/* The consumer: how it is set, opened and closed. */
#include <stdio.h>

#include "kafka/conf.h"
#include "runtime/delivery_internal.h"

#define PREFETCH_KIB 16384

static enum rc configure(rd_kafka_conf_t *conf, const struct delivery *d, struct err *err)
{
    char session[16];
    char prefetch[16];
    const struct {
        const char *key;
        const char *value;
    } rows[] = {
        {"group.id", d->group},
        {"group.instance.id", d->instance_id},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"}, /* never a silent jump */
        {"isolation.level", "read_committed"},
        {"session.timeout.ms", session},
        {"heartbeat.interval.ms", "1000"},
        {"max.poll.interval.ms", "60000"},
        {"partition.assignment.strategy", "range,roundrobin"}, /* eager: cooperative has bugs before 2.10 */
        {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", "10"}, /* a read_committed fetch is not woken by the end of a transaction */
        {"check.crcs", "true"},
    };
    /* When so much waits, librdkafka sleeps for a second before it fetches again (fetch.queue.backoff.ms comes with
     * 2.2): these are memory, and records a second. */
    const char *const tuned[][2] = {
        {"queued.max.messages.kbytes", prefetch},
        {"queued.min.messages", "10000"},
        {"fetch.message.max.bytes", "262144"}, /* of each partition; a larger record still comes */
    };

    snprintf(prefetch, sizeof(prefetch), "%d", d->proc->prefetch_kib > 0 ? d->proc->prefetch_kib : PREFETCH_KIB);
    snprintf(session, sizeof(session), "%d", (int)d->lim.session_ms);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        TRY(kafka_conf_set(conf, rows[i].key, rows[i].value, err));
    }
    for (size_t i = 0; i < ARRAY_SIZE(tuned); i++) {
        TRY(kafka_conf_default(conf, d->cfg, tuned[i][0], tuned[i][1], err));
    }
    return RC_OK;
}

enum rc delivery_consumer_open(struct delivery *d, struct err *err)
{
    static const uint64_t one = 1;
    rd_kafka_conf_t *conf = NULL;

    TRY(kafka_conf_create(d->cfg, d->client, &conf, err));
    enum rc rc = configure(conf, d, err);
    if (rc != RC_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_rebalance_cb(conf, delivery_on_rebalance);
    rd_kafka_conf_set_opaque(conf, d);
    TRY(kafka_new(RD_KAFKA_CONSUMER, conf, &d->consumer, err));
    rd_kafka_poll_set_consumer(d->consumer);
    d->queue = rd_kafka_queue_get_consumer(d->consumer);
    rd_kafka_queue_io_event_enable(d->queue, d->kafka_fd, &one, sizeof(one));
    return RC_OK;
}

void delivery_consumer_close(struct delivery *d)
{
    if (d->consumer == NULL) {
        return;
    }
    d->closing = true;
    rd_kafka_queue_io_event_enable(d->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(d->queue);
    rd_kafka_assign(d->consumer, NULL);
    rd_kafka_consumer_close(d->consumer);
    kafka_destroy(d->consumer);
    d->consumer = NULL;
    d->closing = false;
}
