/* SPDX-License-Identifier: Apache-2.0 */
/* What holds of every verdict, whatever the bytes were. */
#ifndef SLUICE_TESTS_FUZZ_CHANNEL_H
#define SLUICE_TESTS_FUZZ_CHANNEL_H

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "http/body.h"
#include "support/channel_rig.h"

static inline int fuzz_has(const char *text, const char *word)
{
    for (; *text != '\0'; text++) {
        if (strncasecmp(text, word, strlen(word)) == 0) {
            return 1;
        }
    }
    return 0;
}

static inline void fuzz_accepted(struct rig *r)
{
    const struct channel_event *e = &r->v.event;
    struct buf json;
    struct body_value *value = NULL;
    struct problem problem = {0};
    CLAIM(r->v.genuine && r->answer.status == 200);
    CLAIM(e->merchant != NULL && e->notification_id != NULL && e->business_key != NULL && e->type != NULL);
    CLAIM(!e->has_amount || (e->amount >= 0 && e->currency != NULL));
    CLAIM(e->effect == EFFECT_NONE || e->payment_id != NULL);
    CLAIM(e->effect != EFFECT_REFUNDED || (e->refund_id != NULL && e->has_amount && e->amount > 0));
    CLAIM(e->effect != EFFECT_SUCCEEDED || (e->channel_txn_id != NULL && e->has_amount && e->amount > 0));
    buf_init(&json, (size_t)1 << 20);
    channel_event_json(e, &json);
    CLAIM(!json.overflow && body_parse(buf_str(&json), json.len, &r->arena, &value, &problem) == RC_OK);
    buf_done(&json);
}

static inline void fuzz_judge(struct rig *r, enum channel channel, const char *account, const struct capture *c)
{
    if (rig_verify(r, channel, account, c, RIG_NOW) == REASON_OK) {
        fuzz_accepted(r);
    } else {
        CLAIM(r->v.detail[0] != '\0' && strlen(r->v.detail) < CHANNEL_DETAIL_MAX);
        CLAIM(r->answer.status >= 400 && !fuzz_has(r->answer.body, "success"));
    }
    arena_reset(&r->arena);
}

#endif
