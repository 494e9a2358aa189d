/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Avro schemas of the data contract, every version that any retained record may carry.
 *
 * Invariants: NAME.avsc is the newest version of NAME, NAME.vN.avsc an older one; each has one pinned id
 * (ids.json) that never belongs to another text. A set is immutable after creation and lives as long as
 * the process. Recursive types are refused, so the depth of a record is bounded by its schema.
 *
 * Rules: https://avro.apache.org/docs/1.11.1/specification/
 * Thread: any; nothing in a set is written after avro_set_create.
 */
#ifndef SLUICE_AVRO_SET_H
#define SLUICE_AVRO_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct avro_set;

/* One version of one schema; belongs to its set. */
struct avro_version;

/* One schema file. name is the file name without folder; text needs no NUL. */
struct avro_file {
    const char *name;
    const char *text;
    size_t size;
};

/*
 * Parses all files once; keeps no pointer into them. ids is the text of ids.json:
 *     {"callback_event": [{"version": 1, "id": 1001, "sha256": "..."}], ...}
 * RC_FATAL: a file or ids.json is malformed, an id is missing or used twice (the text names the file).
 */
enum rc avro_set_create(const struct avro_file *files, size_t n_files, const char *ids, size_t ids_n,
                        struct avro_set **out_set, struct err *err) MUST_USE;
struct avro_set *avro_set_free(struct avro_set *set); /* accepts NULL, returns NULL */
void avro_set_freep(struct avro_set **set);

/* NULL when there is none. */
const struct avro_version *avro_set_newest(const struct avro_set *set, const char *schema_name);
const struct avro_version *avro_set_by_id(const struct avro_set *set, int32_t id);

/* All versions in no particular order, for listings and tests. */
size_t avro_set_count(const struct avro_set *set);
const struct avro_version *avro_set_at(const struct avro_set *set, size_t i);

const char *avro_version_name(const struct avro_version *v);
int avro_version_number(const struct avro_version *v); /* counts from 1 */
int32_t avro_version_id(const struct avro_version *v);
const char *avro_version_text(const struct avro_version *v);   /* the file's JSON, NUL-terminated */
const char *avro_version_sha256(const struct avro_version *v); /* as pinned in ids.json, 64 hex digits */

#endif
