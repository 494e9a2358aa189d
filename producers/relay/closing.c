/* SPDX-License-Identifier: Apache-2.0 */
/* Others read what a relay writes, so no closing record is ever committed there: only the position, once more. */
#include "relay/closing.h"

#include "base/buf.h"
#include "kafka/hanging.h"
#include "relay/position.h"

struct closing {
    const struct closing_options *opt;
    struct buf value;
};

/* The last position that was written: whatever becomes of it, nothing changes. */
static enum rc send_stand(void *opaque, struct producer *p, struct err *err)
{
    struct closing *c = opaque;
    const struct closing_options *o = c->opt;
    struct position last = {.last_seq = 0};
    bool found = false;
    enum rc rc = position_read(o->cfg, o->position_topic, o->position_partition, o->source, POSITION_HANGING, o->idle,
                               o->idle_opaque, &last, &found, err);

    if (rc == RC_OK && !found) {
        rc = err_set(err, RC_RETRY, __FILE__, __LINE__, "a position hangs in %s and is not there", o->position_topic);
    }
    if (rc == RC_OK) {
        position_encode(&last, o->source, &c->value);
        rc = position_send(p, o->position_topic, o->position_partition, o->source, &c->value, -1, err);
    }
    position_done(&last);
    return rc;
}

enum rc relay_end_hanging(struct producer **p, const struct closing_options *opt, struct err *err)
{
    struct closing c = {.opt = opt};
    const struct hanging_options hanging = {.cfg = opt->cfg,
                                            .transactional_id = opt->transactional_id,
                                            .idle = opt->idle,
                                            .idle_opaque = opt->idle_opaque,
                                            .stands_in = opt->position_topic,
                                            .send_stand = send_stand,
                                            .opaque = &c};
    size_t ended = 0;

    buf_init(&c.value, POSITION_VALUE_MAX);
    enum rc rc = hanging_end(*p, &hanging, &ended, err);
    if (rc != RC_OK) {
        producer_destroy(*p); /* before the value it points to */
        *p = NULL;
    }
    buf_done(&c.value);
    return rc;
}
