/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a position back from its topic: the last record of a source. */
#include <string.h>

#include "base/mem.h"
#include "kafka/tail.h"
#include "relay/position.h"

struct reader {
    const char *topic;
    const char *source;
    struct position *out;
    bool found;
};

static void restart(void *opaque)
{
    struct reader *r = opaque;

    r->found = false;
}

static bool enough(const void *opaque)
{
    const struct reader *r = opaque;

    return r->found;
}

static enum rc take(void *opaque, const rd_kafka_message_t *msg, struct err *err)
{
    struct reader *r = opaque;
    struct position p;

    if (msg->key_len != strlen(r->source) || memcmp(msg->key, r->source, msg->key_len) != 0 || msg->payload == NULL) {
        return RC_OK;
    }
    if (position_decode(msg->payload, msg->len, &p, err) != RC_OK) {
        position_done(&p);
        return err_prefix(err, "%s partition %d offset %lld", r->topic, (int)msg->partition, (long long)msg->offset);
    }
    position_done(r->out);
    *r->out = p;
    r->found = true;
    return RC_OK;
}

enum rc position_read(const struct config *cfg, const char *topic, int32_t partition, const char *source,
                      enum position_when when, producer_idle_fn idle, void *opaque, struct position *out,
                      bool *out_found, struct err *err)
{
    struct reader r = {.topic = topic, .source = source, .out = out};
    const struct tail_options opt = {.cfg = cfg,
                                     .client = "sluice-relay-position",
                                     .topic = topic,
                                     .partition = partition,
                                     .uncommitted = when == POSITION_HANGING,
                                     .whole = when != POSITION_GLANCE,
                                     .idle = idle,
                                     .idle_opaque = opaque,
                                     .restart = restart,
                                     .take = take,
                                     .enough = enough,
                                     .opaque = &r};

    TRY(kafka_tail_read(&opt, err));
    *out_found = r.found;
    return RC_OK;
}
