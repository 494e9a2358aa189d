/* SPDX-License-Identifier: Apache-2.0 */
/* Which topics exist, as the producer sees it: asked once, missing ones again. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/producer_internal.h"
#include "kafka/rc.h"

#define TOPIC_MISSING_REFRESH_MS 3000
#define METADATA_TIMEOUT_MS 5000

static struct topic_entry *topic_entry(struct producer *p, const char *topic)
{
    for (size_t i = 0; i < p->n_topics; i++) {
        if (strcmp(p->topics[i].name, topic) == 0) {
            return &p->topics[i];
        }
    }
    /* A full cache forgets its last entry: names from rows must not grow it without end. */
    size_t at = p->n_topics < PRODUCER_TOPICS_MAX ? p->n_topics++ : PRODUCER_TOPICS_MAX - 1;
    free(p->topics[at].name);
    p->topics[at] = (struct topic_entry){.name = xstrdup(topic)};
    return &p->topics[at];
}

static enum rc ask_partitions(struct producer *p, const char *topic, int *out_partitions, struct err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(p->rk, topic, NULL);

    if (rkt == NULL) {
        *out_partitions = 0; /* a name Kafka does not allow */
        return RC_OK;
    }
    rd_kafka_resp_err_t code = rd_kafka_metadata(p->rk, 0, rkt, &md, METADATA_TIMEOUT_MS);
    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_fail(err, code, NULL, "Kafka metadata of %s", topic);
        err->rc = RC_RETRY;
        return RC_RETRY;
    }
    rd_kafka_resp_err_t why = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (why == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        rd_kafka_metadata_destroy(md);
        *out_partitions = PRODUCER_TOPIC_FORBIDDEN;
        return RC_OK;
    }
    *out_partitions = why == RD_KAFKA_RESP_ERR_NO_ERROR ? md->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(md);
    if (kafka_rc(why) == RC_RETRY) {
        return kafka_fail(err, why, NULL, "Kafka metadata of %s", topic);
    }
    return RC_OK;
}

enum rc producer_topic_partitions(struct producer *p, const char *topic, int *out_partitions, struct err *err)
{
    struct topic_entry *t = topic_entry(p, topic);
    int64_t now = clock_mono_ms();

    if (t->partitions <= 0 && (t->asked_ms == 0 || now - t->asked_ms > TOPIC_MISSING_REFRESH_MS)) {
        TRY(ask_partitions(p, topic, &t->partitions, err));
        t->asked_ms = now;
    }
    *out_partitions = t->partitions;
    return RC_OK;
}

void producer_forget_topics(struct producer *p)
{
    for (size_t i = 0; i < p->n_topics; i++) {
        free(p->topics[i].name);
    }
    p->n_topics = 0;
}
