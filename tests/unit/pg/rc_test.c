/* SPDX-License-Identifier: Apache-2.0 */
/* What an SQLSTATE asks for: every row of the table in pg/conn.h, and what is in none. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"

static const struct {
    const char *sqlstate;
    enum rc rc;
} STATES[] = {
    /* 08 connection */
    {"08000", RC_RETRY},
    {"08003", RC_RETRY},
    {"08006", RC_RETRY},
    {"08P01", RC_RETRY},
    /* 53 resources */
    {"53000", RC_RETRY},
    {"53100", RC_RETRY},
    {"53300", RC_RETRY},
    /* 57P shutdown and session ends; 57014 cancelled; the rest of 57 is no reason to try again */
    {"57P01", RC_RETRY},
    {"57P02", RC_RETRY},
    {"57P03", RC_RETRY},
    {"57P05", RC_RETRY},
    {"57014", RC_RETRY},
    {"57000", RC_FATAL},
    /* concurrency */
    {"40001", RC_RETRY},
    {"40P01", RC_RETRY},
    {"40002", RC_FATAL},
    {"55P03", RC_RETRY},
    {"55000", RC_FATAL},
    {"25P03", RC_RETRY},
    {"25P02", RC_FATAL},
    /* the input */
    {"22001", RC_REJECT},
    {"22P02", RC_REJECT},
    {"23505", RC_REJECT},
    {"23514", RC_REJECT},
    /* the program or its surroundings */
    {"42501", RC_FATAL},
    {"42P01", RC_FATAL},
    {"42601", RC_FATAL},
    {"28P01", RC_FATAL},
    {"28000", RC_FATAL},
    {"3D000", RC_FATAL},
    {"XX000", RC_FATAL},
    {"00000", RC_FATAL},
    {"99999", RC_FATAL},
    {"2", RC_FATAL},
};

Test(pg_rc, every_class_has_its_reaction)
{
    for (size_t i = 0; i < ARRAY_SIZE(STATES); i++) {
        cr_expect_eq(pg_rc(STATES[i].sqlstate), STATES[i].rc, "%s: expected %s, got %s", STATES[i].sqlstate,
                     rc_name(STATES[i].rc), rc_name(pg_rc(STATES[i].sqlstate)));
    }
}

Test(pg_rc, a_lost_session_has_no_state_and_is_tried_again)
{
    cr_expect_eq(pg_rc(NULL), RC_RETRY);
    cr_expect_eq(pg_rc(""), RC_RETRY);
}

static void expect_refused(const char *url, const char *expected)
{
    struct pg_options opt = {.app = "sluice test"};
    PGconn *conn = NULL;
    struct err err = {0};

    cr_assert_eq(pg_open(url, &opt, &conn, &err), RC_FATAL, "%s", url != NULL ? url : "(null)");
    cr_expect_null(conn);
    cr_expect(strstr(err.text, expected) != NULL, "%s", err.text);
    cr_expect_null(strstr(err.text, "hunter2"), "the password is in the message: %s", err.text);
    cr_expect(err_is_config(&err), "only the configuration can cure: %s", err.text);
}

Test(pg_open, says_what_a_url_should_look_like_and_keeps_the_password)
{
    expect_refused(NULL, "DATABASE_URL is not set; expected postgresql://");
    expect_refused("", "DATABASE_URL is not set; expected postgresql://");
    expect_refused("mysql://app:hunter2@db/shop", "expected postgresql://");
    expect_refused("postgresql://app:hunter2@db:5432/shop?nonsense=1", "expected postgresql://");
    expect_refused("postgresql://app:hunter2@[::1/shop", "expected postgresql://");
    expect_refused("postgresql://app:hunter2@127.0.0.1:99999/shop", "invalid port");
    expect_refused("postgresql://app:hunter2@127.0.0.1:x/shop", "invalid");
}

Test(pg_open, a_server_that_is_away_is_tried_again)
{
    struct pg_options opt = {.app = "sluice test"};
    PGconn *conn = NULL;
    struct err err = {0};

    cr_assert_eq(pg_open("postgresql://app:hunter2@127.0.0.1:1/shop", &opt, &conn, &err), RC_RETRY);
    cr_expect(strstr(err.text, "127.0.0.1:1/shop") != NULL, "%s", err.text);
    cr_expect_null(strstr(err.text, "hunter2"), "%s", err.text);
    cr_expect_not(err_is_config(&err));
}
