/* SPDX-License-Identifier: Apache-2.0 */
/* Positions of database processors, looked at and moved by hand. */
#include "runtime/dbproc_stand.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/log_ends.h"
#include "kafka/rc.h"
#include "pg/conn.h"
#include "runtime/dbproc_position.h"

#define ASK_MS 5000
#define ROWS_MAX 10000
#define STATEMENT_TIMEOUT_MS 10000

static const char ROWS[] = "SELECT topic, partition, next_offset, epoch, coalesce(owner, '') FROM sluice_positions"
                           " WHERE \"group\" = $1 ORDER BY topic, partition LIMIT 10001";

static const char MOVE[] = "UPDATE sluice_positions SET next_offset = $4::bigint, epoch = epoch + 1,"
                           " owner = 'sluice position set', updated_at = now()"
                           " WHERE \"group\" = $1 AND topic = $2 AND partition = $3::int"
                           " AND ($7::bool OR (next_offset = $5::bigint AND epoch = $6::bigint))";

static const char MAKE[] = "INSERT INTO sluice_positions (\"group\", topic, partition, next_offset, epoch, owner)"
                           " VALUES ($1, $2, $3::int, $4::bigint, 1, 'sluice position set') ON CONFLICT DO NOTHING";

static enum rc open_database(const struct config *cfg, PGconn **out_conn, struct err *err)
{
    struct pg_options opt = {.app = "sluice position",
                             .schema = config_str(cfg, "database.schema"),
                             .statement_timeout_ms = STATEMENT_TIMEOUT_MS};

    return pg_open(config_str(cfg, "database.url"), &opt, out_conn, err);
}

static enum rc open_kafka(const struct config *cfg, const char *group, rd_kafka_t **out_rk, struct err *err)
{
    const char *const settings[][2] = {
        {"group.id", group},                   /* never joined: only asked for, and told */
        {"isolation.level", "read_committed"}, /* the end is the stable one, as for the processor */
        {"enable.auto.commit", "false"},
    };

    return kafka_reader_new(cfg, "sluice-position", settings, ARRAY_SIZE(settings), out_rk, err);
}

static struct dbproc_stand *stand_of(struct dbproc_stands *s, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i].partition == partition && strcmp(s->list[i].topic, topic) == 0) {
            return &s->list[i];
        }
    }
    s->list = xrealloc(s->list, (s->n + 1) * sizeof(*s->list));
    s->list[s->n] = (struct dbproc_stand){
        .topic = xstrdup(topic), .partition = partition, .log_start = -1, .log_end = -1, .group_offset = -1};
    return &s->list[s->n++];
}

static enum rc read_rows(const struct config *cfg, const char *group, struct dbproc_stands *s, struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(open_database(cfg, &conn, err));
    TRY(pg_query(conn, ROWS, 1, &group, &res, err));
    if (PQntuples(res) > ROWS_MAX) {
        FAIL(err, RC_REJECT, "group %s has more than %d position rows", group, ROWS_MAX);
    }
    for (int i = 0; i < PQntuples(res); i++) {
        struct dbproc_stand *p = stand_of(s, pg_text(res, i, 0), (int32_t)pg_int(res, i, 1, 0));
        p->found = true;
        p->next_offset = pg_int(res, i, 2, 0);
        p->epoch = pg_int(res, i, 3, 0);
        (void)snprintf(p->owner, sizeof(p->owner), "%s", pg_text(res, i, 4));
    }
    return RC_OK;
}

/* 0 when there is no such topic. */
static enum rc ask_partitions(rd_kafka_t *rk, const char *topic, int *out_n, struct err *err)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);

    if (rkt == NULL) {
        return kafka_fail(err, rd_kafka_last_error(), NULL, "topic %s", topic);
    }
    enum rc rc = kafka_topic_partitions(rk, rkt, ASK_MS, out_n, err);
    rd_kafka_topic_destroy(rkt);
    return rc;
}

/* The logs of all partitions; list is sorted, so each topic is asked for once. */
static enum rc ask_logs(rd_kafka_t *rk, struct dbproc_stands *s, struct err *err)
{
    int partitions = 0;

    for (size_t i = 0; i < s->n; i++) {
        struct dbproc_stand *p = &s->list[i];
        if (i == 0 || strcmp(p->topic, s->list[i - 1].topic) != 0) {
            TRY(ask_partitions(rk, p->topic, &partitions, err));
        }
        if (p->partition < 0 || p->partition >= partitions) {
            continue;
        }
        rd_kafka_resp_err_t code = kafka_log_ends(rk, p->topic, p->partition, ASK_MS, &p->log_start, &p->log_end);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return kafka_fail(err, code, NULL, "cannot ask for the ends of %s partition %d", p->topic,
                              (int)p->partition);
        }
    }
    return RC_OK;
}

static enum rc ask_copies(rd_kafka_t *rk, struct dbproc_stands *s, struct err *err)
{
    rd_kafka_topic_partition_list_t *list CLEANUP(kafka_list_freep) = rd_kafka_topic_partition_list_new((int)s->n + 1);

    for (size_t i = 0; i < s->n; i++) {
        rd_kafka_topic_partition_list_add(list, s->list[i].topic, s->list[i].partition);
    }
    rd_kafka_resp_err_t code = s->n > 0 ? rd_kafka_committed(rk, list, ASK_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, code, NULL, "cannot ask for the group's offsets");
    }
    for (size_t i = 0; i < s->n; i++) {
        s->list[i].group_offset = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
    }
    return RC_OK;
}

static enum rc ask_members(rd_kafka_t *rk, const char *group, struct dbproc_stands *s, struct err *err)
{
    const struct rd_kafka_group_list *groups = NULL;
    rd_kafka_resp_err_t code = rd_kafka_list_groups(rk, group, &groups, ASK_MS);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, code, NULL, "cannot ask for the members of group %s", group);
    }
    for (int i = 0; i < groups->group_cnt; i++) {
        s->members += strcmp(groups->groups[i].group, group) == 0 ? groups->groups[i].member_cnt : 0;
    }
    rd_kafka_group_list_destroy(groups);
    return RC_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct dbproc_stand *x = a;
    const struct dbproc_stand *y = b;
    int order = strcmp(x->topic, y->topic);

    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static void judge(struct dbproc_stand *p)
{
    if (p->log_end < 0) {
        (void)snprintf(p->state, sizeof(p->state), "Kafka has no such partition");
    } else if (p->found) {
        dbproc_position_judge(p->next_offset, p->log_start, p->log_end, p->state, sizeof(p->state));
    }
}

static enum rc read_log(const struct config *cfg, const char *group, const char *const *topics, size_t n_topics,
                        struct dbproc_stands *s, struct err *err)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;

    TRY(open_kafka(cfg, group, &rk, err));
    for (size_t t = 0; t < n_topics; t++) {
        int n = 0;
        TRY(ask_partitions(rk, topics[t], &n, err));
        for (int32_t p = 0; p < n; p++) {
            (void)stand_of(s, topics[t], p);
        }
    }
    if (s->n > 1) {
        qsort(s->list, s->n, sizeof(*s->list), by_name);
    }
    TRY(ask_logs(rk, s, err));
    for (size_t i = 0; i < s->n; i++) {
        judge(&s->list[i]);
    }
    TRY(ask_copies(rk, s, err));
    return ask_members(rk, group, s, err);
}

enum rc dbproc_stands_read(const struct config *cfg, const char *group, const char *const *topics, size_t n_topics,
                           struct dbproc_stands *out, struct err *err)
{
    *out = (struct dbproc_stands){.list = NULL};
    TRY(read_rows(cfg, group, out, err));
    return read_log(cfg, group, topics, n_topics, out, err);
}

void dbproc_stands_done(struct dbproc_stands *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->list[i].topic);
    }
    free(s->list);
    *s = (struct dbproc_stands){.list = NULL};
}

/* ---------------------------------------------------------------------------------------------------- moving */

static enum rc move_row(PGconn *conn, const char *group, const struct dbproc_stand *p, bool force, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char partition[16];
    char to[24];
    char from[24];
    char epoch[24];
    const char *params[] = {group, p->topic, partition, to, from, epoch, force ? "t" : "f"};

    (void)snprintf(partition, sizeof(partition), "%" PRId32, p->partition);
    (void)snprintf(to, sizeof(to), "%" PRId64, p->to);
    (void)snprintf(from, sizeof(from), "%" PRId64, p->next_offset);
    (void)snprintf(epoch, sizeof(epoch), "%" PRId64, p->epoch);
    enum rc rc = p->found ? pg_query(conn, MOVE, 7, params, &res, err) : pg_query(conn, MAKE, 4, params, &res, err);
    if (rc != RC_OK && strcmp(err->code, "55P03") == 0) {
        FAIL(err, RC_FENCED, "the position of %s partition %d is held: an instance is at work", p->topic,
             (int)p->partition);
    }
    TRY(rc);
    if (strcmp(PQcmdTuples(res), "1") != 0) {
        FAIL(err, RC_FENCED, "the position of %s partition %d is not what it was a moment ago: an instance is at work",
             p->topic, (int)p->partition);
    }
    return RC_OK;
}

static enum rc move_rows(PGconn *conn, const char *group, const struct dbproc_stands *s, bool force, struct err *err)
{
    TRY(pg_exec(conn, "BEGIN; SET LOCAL lock_timeout = 5000", NULL, err));
    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i].move) {
            TRY(move_row(conn, group, &s->list[i], force, err));
        }
    }
    return dbproc_position_commit(conn, err);
}

/* The copy, so that the next start does not take the difference for a restored database. Refused while the group has
 * members, who will tell it themselves. */
static void tell_group(const struct config *cfg, const char *group, const struct dbproc_stands *s)
{
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;
    rd_kafka_topic_partition_list_t *list CLEANUP(kafka_list_freep) = rd_kafka_topic_partition_list_new((int)s->n + 1);
    struct err ignored;

    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i].move) {
            rd_kafka_topic_partition_list_add(list, s->list[i].topic, s->list[i].partition)->offset = s->list[i].to;
        }
    }
    if (list->cnt > 0 && open_kafka(cfg, group, &rk, &ignored) == RC_OK) {
        (void)rd_kafka_commit(rk, list, 0);
    }
}

enum rc dbproc_stands_move(const struct config *cfg, const char *group, const struct dbproc_stands *s, bool force,
                           struct err *err)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;

    TRY(open_database(cfg, &conn, err));
    TRY(pg_require_direct(conn, err));
    TRY(move_rows(conn, group, s, force, err)); /* a failure ends with the session */
    if (s->members == 0) {
        tell_group(cfg, group, s);
    }
    return RC_OK;
}
