/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a position: the record that counts, and the copy for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pg/conn.h"
#include "relay/position.h"

enum rc position_send(struct producer *p, const char *topic, int32_t partition, const char *source,
                      const struct buf *value, int64_t tag, struct err *err)
{
    struct producer_header header = {.name = "content-type", .value = "application/json", .value_len = 16};
    struct producer_record rec = {.topic = topic,
                                  .partition = partition,
                                  .key = source,
                                  .key_len = strlen(source),
                                  .value = buf_str(value),
                                  .value_len = value->len,
                                  .headers = &header,
                                  .n_headers = 1};

    return producer_send(p, &rec, tag, err);
}

enum rc position_copy(PGconn *conn, const struct position *p, const char *prefix, const struct source *src,
                      const char *owner, struct err *err)
{
    char seq[24];
    char published[24];

    snprintf(seq, sizeof(seq), "%" PRId64, p->last_seq);
    snprintf(published, sizeof(published), "%" PRId64, p->published);
    const char *params[] = {src->name, src->table, p->s1, p->s2, seq, published, owner, prefix};
    return pg_query(
        conn,
        "WITH fast AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"
        " INSERT INTO sluice_relay_positions (source, table_name, snapshot_before, snapshot_upto, last_seq,"
        " published, owner, topic_prefix) SELECT $1, $2, $3::pg_snapshot, $4::pg_snapshot, $5::bigint, $6::bigint, $7, "
        "$8"
        " FROM fast ON CONFLICT (topic_prefix, source) DO UPDATE SET table_name = excluded.table_name,"
        " snapshot_before = excluded.snapshot_before, snapshot_upto = excluded.snapshot_upto,"
        " last_seq = excluded.last_seq, published = excluded.published, owner = excluded.owner, updated_at = now()",
        8, params, NULL, err);
}
