/* SPDX-License-Identifier: Apache-2.0 */
/* What an error of librdkafka asks for: every row of the table in kafka/rc.c, and what is in none. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "kafka/rc.h"

#define R(name) RD_KAFKA_RESP_ERR_##name

static const struct {
    rd_kafka_resp_err_t code;
    enum rc rc;
} CODES[] = {
    {R(NO_ERROR), RC_OK},
    {R(_TRANSPORT), RC_RETRY},
    {R(_ALL_BROKERS_DOWN), RC_RETRY},
    {R(_RESOLVE), RC_RETRY},
    {R(_TIMED_OUT), RC_RETRY},
    {R(_TIMED_OUT_QUEUE), RC_RETRY},
    {R(_MSG_TIMED_OUT), RC_RETRY},
    {R(_WAIT_COORD), RC_RETRY},
    {R(_QUEUE_FULL), RC_RETRY},
    {R(_RETRY), RC_RETRY},
    {R(_IN_PROGRESS), RC_RETRY},
    {R(_PURGE_QUEUE), RC_RETRY},
    {R(_PURGE_INFLIGHT), RC_RETRY},
    {R(LEADER_NOT_AVAILABLE), RC_RETRY},
    {R(NOT_LEADER_FOR_PARTITION), RC_RETRY},
    {R(REQUEST_TIMED_OUT), RC_RETRY},
    {R(BROKER_NOT_AVAILABLE), RC_RETRY},
    {R(REPLICA_NOT_AVAILABLE), RC_RETRY},
    {R(NETWORK_EXCEPTION), RC_RETRY},
    {R(COORDINATOR_LOAD_IN_PROGRESS), RC_RETRY},
    {R(COORDINATOR_NOT_AVAILABLE), RC_RETRY},
    {R(NOT_COORDINATOR), RC_RETRY},
    {R(NOT_ENOUGH_REPLICAS), RC_RETRY},
    {R(NOT_ENOUGH_REPLICAS_AFTER_APPEND), RC_RETRY},
    {R(CONCURRENT_TRANSACTIONS), RC_RETRY},
    {R(KAFKA_STORAGE_ERROR), RC_RETRY},
    {R(NOT_CONTROLLER), RC_RETRY},
    {R(MSG_SIZE_TOO_LARGE), RC_REJECT},
    {R(RECORD_LIST_TOO_LARGE), RC_REJECT},
    {R(INVALID_MSG), RC_REJECT},
    {R(INVALID_MSG_SIZE), RC_REJECT},
    {R(INVALID_RECORD), RC_REJECT},
    {R(_FENCED), RC_FENCED},
    {R(PRODUCER_FENCED), RC_FENCED},
    {R(INVALID_PRODUCER_EPOCH), RC_FENCED},
    {R(FENCED_INSTANCE_ID), RC_FENCED},
    {R(UNKNOWN_TOPIC_OR_PART), RC_FATAL},
    {R(_UNKNOWN_TOPIC), RC_FATAL},
    {R(TOPIC_AUTHORIZATION_FAILED), RC_FATAL},
    {R(TRANSACTIONAL_ID_AUTHORIZATION_FAILED), RC_FATAL},
    {R(_AUTHENTICATION), RC_FATAL},
    {R(_STATE), RC_FATAL},
    {R(INVALID_CONFIG), RC_FATAL},
    {R(UNKNOWN), RC_FATAL},
};

Test(kafka_rc, every_code_has_its_reaction)
{
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
        cr_expect_eq(kafka_rc(CODES[i].code), CODES[i].rc, "%s: expected %s, got %s", rd_kafka_err2name(CODES[i].code),
                     rc_name(CODES[i].rc), rc_name(kafka_rc(CODES[i].code)));
    }
}

/* A code that a later librdkafka brings must not be waited for without end. */
Test(kafka_rc, a_code_nobody_knows_is_fatal)
{
    size_t named = 0;
    const struct rd_kafka_err_desc *all = NULL;
    size_t n = 0;

    cr_expect_eq(kafka_rc((rd_kafka_resp_err_t)9999), RC_FATAL);
    cr_expect_eq(kafka_rc((rd_kafka_resp_err_t)-999), RC_FATAL);
    rd_kafka_get_err_descs(&all, &n);
    for (size_t i = 0; i < n; i++) {
        /* Gaps between the codes have neither name nor text. */
        named += all[i].desc != NULL && kafka_rc(all[i].code) != RC_FATAL ? 1 : 0;
    }
    size_t listed = 0;
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
        listed += CODES[i].rc != RC_FATAL ? 1 : 0;
    }
    cr_expect_eq(named, listed, "%zu codes are not fatal, this table knows %zu of them", named, listed);
}

Test(kafka_fail, says_what_was_done_the_reason_and_the_name_of_the_code)
{
    struct err err = {0};

    cr_expect_eq(kafka_fail(&err, R(MSG_SIZE_TOO_LARGE), NULL, "produce to %s", "t1"), RC_REJECT);
    cr_expect(strncmp(err.text, "produce to t1: ", 15) == 0 && strlen(err.text) > 20, "%s", err.text);
    cr_expect_str_eq(err.code, "MSG_SIZE_TOO_LARGE");
    cr_expect_eq(kafka_fail(&err, R(_TRANSPORT), "connection refused", "metadata"), RC_RETRY);
    cr_expect_str_eq(err.text, "metadata: connection refused");
    cr_expect_str_eq(err.code, "_TRANSPORT");
}
