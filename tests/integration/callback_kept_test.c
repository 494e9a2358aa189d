/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of calls: sealed, erased when it is old. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/callback_sweep.h"
#include "support/callback_rig.h"

TestSuite(callback_kept, .init = callback_rig_open, .fini = callback_rig_close, .timeout = 100);

static struct err err;

static void opened(const char *column, const char *sealed_hex, const char *key, const char *id, struct buf *out)
{
    size_t n = strlen(sealed_hex) / 2;
    unsigned char *sealed = xcalloc(n + 1, 1);
    for (size_t i = 0; i < n; i++) {
        unsigned byte = 0;
        cr_assert_eq(sscanf(sealed_hex + 2 * i, "%2x", &byte), 1);
        sealed[i] = (unsigned char)byte;
    }
    cr_assert_eq(raw_open(rig.g.raw_keys, key, id, column, sealed, n, out, &err), RC_OK, "%s", err.text);
    cr_assert_eq(raw_open(rig.g.raw_keys, "k1", id, column, sealed, n, out, &err), RC_REJECT, "another key");
    cr_assert_eq(raw_open(rig.g.raw_keys, "k9", id, column, sealed, n, out, &err), RC_REJECT, "no such key");
    cr_assert_eq(raw_open(rig.g.raw_keys, key, "another row", column, sealed, n, out, &err), RC_REJECT);
    cr_assert_eq(raw_open(rig.g.raw_keys, key, id, "another column", sealed, n, out, &err), RC_REJECT);
    sealed[n / 2] ^= 1;
    cr_assert_eq(raw_open(rig.g.raw_keys, key, id, column, sealed, n, out, &err), RC_REJECT, "changed");
    free(sealed);
}

Test(callback_kept, what_came_is_kept_and_cannot_be_read_without_the_key)
{
    callback_order("A-1", "wechat", 100, "CNY");
    struct job *job = callback_paid("n1", "A-1");
    callback_came(job, REASON_OK, "stored");
    char *headers = stack_text(st.conn, "SELECT encode(raw_headers, 'hex') FROM payment_callbacks");
    char *body = stack_text(st.conn, "SELECT encode(raw_body, 'hex') FROM payment_callbacks");
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1000);
    opened("body", body, "k2", job->id, &out);
    cr_assert_str_eq(buf_str(&out), "{\"id\": 1}");
    buf_clear(&out);
    opened("headers", headers, "k2", job->id, &out);
    cr_assert_str_eq(buf_str(&out), "Wechatpay-Serial: PUB_KEY_ID_1\r\nX-Twice: 1\r\nX-Twice: 2\r\n");
    stack_expect(
        st.conn, "in clear text nowhere",
        "SELECT count(*) FROM payment_callbacks WHERE key_id = 'k2' AND position('\\x6964'::bytea in raw_body) "
        "= 0 AND position('Serial'::bytea in raw_headers) = 0",
        "1");
    free(headers);
    free(body);
}

Test(callback_kept, old_bytes_are_erased_and_the_rest_stays)
{
    int64_t erased = 0;
    callback_order("A-1", "wechat", 100, "CNY");
    callback_order("A-2", "wechat", 100, "CNY");
    struct job *old = callback_paid("n1", "A-1");
    callback_came(old, REASON_OK, "old");
    callback_came(callback_paid("n2", "A-2"), REASON_OK, "young");
    stack_sql(st.conn, "UPDATE payment_callbacks SET received_at = now() - interval '11 days' WHERE notification_id = "
                       "'n1'");
    cr_assert_eq(callback_sweep_erase(&rig.session, SWEEP_PAYMENTS, 12, 100, &erased, &err), RC_OK, "%s", err.text);
    cr_assert_eq(erased, 0);
    cr_assert_eq(callback_sweep_erase(&rig.session, SWEEP_PAYMENTS, 10, 100, &erased, &err), RC_OK, "%s", err.text);
    cr_assert_eq(erased, 1);
    cr_assert_eq(callback_sweep_erase(&rig.session, SWEEP_PAYMENTS, 10, 100, &erased, &err), RC_OK, "%s", err.text);
    cr_assert_eq(erased, 0);
    stack_expect(st.conn, "what is left",
                 "SELECT string_agg(notification_id || ' ' || (raw_body IS NULL AND raw_headers IS NULL AND key_id IS "
                 "NULL)::text || ' ' || (erased_at IS NOT NULL)::text, ', ' ORDER BY 1) FROM (SELECT * FROM "
                 "payment_callbacks ORDER BY notification_id) c",
                 "n1 true true, n2 false false");
    callback_came(callback_again(old), REASON_DUPLICATE, "still known");
}
