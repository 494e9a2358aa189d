/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: position_decode(), what a relay reads back from its position topic.
 *
 * Claims: OK or FATAL; what is accepted is encoded again and reads the same; snapshots hold nothing but digits, colons
 * and commas, for they go into SQL.
 */
#include <string.h>

#include "fuzz.h"
#include "relay/position.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct position p;
    struct position again;
    struct buf text;
    struct err err = {0};
    enum rc rc = position_decode((const char *)data, size, &p, &err);

    CLAIM(rc == RC_OK || (rc == RC_FATAL && err.text[0] != '\0'));
    if (rc != RC_OK) {
        position_done(&p);
        return 0;
    }
    CLAIM(strspn(p.s1, "0123456789:,") == strlen(p.s1) && strspn(p.s2, "0123456789:,") == strlen(p.s2));
    buf_init(&text, 2 * POSITION_VALUE_MAX);
    position_encode(&p, "callback", &text);
    CLAIM(!text.overflow);
    CLAIM(position_decode(buf_str(&text), text.len, &again, &err) == RC_OK || text.len > POSITION_VALUE_MAX);
    if (text.len <= POSITION_VALUE_MAX) {
        CLAIM(strcmp(p.s1, again.s1) == 0 && strcmp(p.s2, again.s2) == 0 && p.last_seq == again.last_seq);
        CLAIM(strcmp(p.db.system_id, again.db.system_id) == 0 && p.db.timeline == again.db.timeline);
        CLAIM(p.db.database_oid == again.db.database_oid && p.published == again.published);
    }
    position_done(&p);
    position_done(&again);
    buf_done(&text);
    return 0;
}
