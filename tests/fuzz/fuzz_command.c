/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: command_read(). The first byte chooses the command, the rest is the payload; with its highest bit set all of
 * the rest is the record's value.
 *
 * Claims: OK or REJECT with a class; after OK every string of it is within its ceiling, and reading it again gives the
 * same content.
 */
#include "account/command.h"

#include <string.h>

#include "account/fields.h"
#include "base/buf.h"
#include "fuzz.h"
#include "schemas/avro_set.h"

static struct avro_set *set;
static struct command_reader *reader;

/* avro-c hides pointers from the leak checker. */
static void release(void)
{
    reader = command_reader_free(reader);
    set = avro_set_free(set);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct err err;
    (void)argc;
    (void)argv;
    CLAIM(schemas_avro_set(&set, &err) == RC_OK);
    CLAIM(command_reader_create(set, &reader, &err) == RC_OK);
    CLAIM(atexit(release) == 0);
    return 0;
}

static bool is_id(const char *s, bool may_be_empty)
{
    return (may_be_empty && s[0] == '\0') || field_is_id(s, strlen(s));
}

static void check_one(const struct ledger_command *c)
{
    bool of_account = c->op == OP_OPEN || c->op == OP_SET;

    CLAIM(is_id(c->event_id, false) && is_id(c->debit, false) && is_id(c->transfer_id, of_account));
    CLAIM(is_id(c->credit, c->op != OP_TRANSFER && c->op != OP_TRY));
    CLAIM(strlen(c->currency) <= LEDGER_CURRENCY_MAX && strlen(c->caller) <= LEDGER_CALLER_MAX);
    CLAIM(c->reference == NULL || strlen(c->reference) <= LEDGER_REFERENCE_MAX);
    CLAIM(c->op != OP_LINKED || (c->n_members >= 2 && c->n_members <= LEDGER_LINKED_MAX));
    for (size_t i = 0; i < c->n_members; i++) {
        check_one(&c->members[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a;
    CLEANUP(buf_done) struct buf record;
    struct ledger_command c;
    struct ledger_command again;
    const char *class = NULL;
    struct err err;

    arena_init(&a, 4096);
    buf_init(&record, (size_t)8 << 20);
    if (size == 0) {
        return 0;
    }
    if (data[0] & 0x80) {
        (void)buf_add(&record, data + 1, size - 1);
    } else {
        (void)buf_printf(&record, "{\"event_id\":\"e\",\"command\":\"%s\",\"partition_key\":\"k\",\"payload\":",
                         LEDGER_OP_NAMES[data[0] % LEDGER_OPS]);
        (void)buf_json_string(&record, (const char *)data + 1, size - 1);
        (void)buf_puts(&record, ",\"queue_seq\":1,\"created_at\":1700000000000001}");
    }
    enum rc rc = command_read(reader, record.data, record.len, &a, &c, &class, &err);
    CLAIM(rc == RC_OK || (rc == RC_REJECT && class != NULL && err.text[0] != '\0'));
    if (rc == RC_OK) {
        check_one(&c);
        CLAIM(command_read(reader, record.data, record.len, &a, &again, &class, &err) == RC_OK);
        CLAIM(memcmp(c.content_hash, again.content_hash, LEDGER_HASH_BYTES) == 0);
    }
    return 0;
}
