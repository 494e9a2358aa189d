/* SPDX-License-Identifier: Apache-2.0 */
/* Ends what earlier transactions of the slot left hanging; the offsets of the group say how far it is. */
#include "base/log.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/hanging.h"
#include "kafka/rc.h"
#include "runtime/delivery_txn_internal.h"

#define OFFSETS_TOPIC "__consumer_offsets"
#define FORGET_TIMEOUT_MS 5000

struct closing {
    struct txn *txn;
    bool sent;
};

/*
 * An offset for a topic the group does not read. Without a member the broker takes it at any time, and what may be
 * written for the partitions that are read is decided by whoever has them.
 */
static enum rc send_stand(void *opaque, struct producer *p, struct err *err)
{
    struct closing *c = opaque;
    rd_kafka_topic_partition_list_t *list CLEANUP(kafka_list_freep) = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(c->txn->opt.group);

    rd_kafka_topic_partition_list_add(list, c->txn->opt.topics[0], 0)->offset = 0;
    enum rc rc = producer_send_offsets(p, list, group, err);
    rd_kafka_consumer_group_metadata_destroy(group);
    c->sent = true;
    return rc;
}

/* For tools that list the group's offsets; it does not matter otherwise. */
static void forget_stand(const struct txn *t)
{
    rd_kafka_t *rk = producer_handle(t->producer);
    rd_kafka_topic_partition_list_t *list CLEANUP(kafka_list_freep) = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, t->opt.topics[0], 0);
    rd_kafka_DeleteConsumerGroupOffsets_t *del = rd_kafka_DeleteConsumerGroupOffsets_new(t->opt.group, list);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_DeleteConsumerGroupOffsets(rk, &del, 1, NULL, q);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, FORGET_TIMEOUT_MS);
    if (ev == NULL || rd_kafka_event_error(ev) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_info("delivery", "an offset that means nothing stays in the group", KV_S("group", t->opt.group),
                 KV_S("topic", t->opt.topics[0]),
                 KV_S("text", ev == NULL ? "no answer" : rd_kafka_event_error_string(ev)));
    }
    if (ev != NULL) {
        rd_kafka_event_destroy(ev);
    }
    rd_kafka_queue_destroy(q);
    rd_kafka_DeleteConsumerGroupOffsets_destroy(del);
}

static enum rc on_idle(void *opaque, struct err *err)
{
    return txn_wanted(opaque, err);
}

enum rc txn_end_hanging(struct txn *t, struct err *err)
{
    struct closing c = {.txn = t};
    const struct hanging_options opt = {.cfg = t->opt.cfg,
                                        .transactional_id = t->opt.transactional_id,
                                        .idle = on_idle,
                                        .idle_opaque = t,
                                        .stands_in = OFFSETS_TOPIC,
                                        .send_stand = send_stand,
                                        .opaque = &c,
                                        .may_commit_closing = true};
    size_t ended = 0;

    TRY(hanging_end(t->producer, &opt, &ended, err));
    if (c.sent) {
        forget_stand(t);
    }
    return RC_OK;
}
