/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: letter_read() and letter_find_row(), the reader of dead letters.
 *
 * The input is a record: a line "name=value" is a header, what follows an empty line is the value.
 * Claims: texts end within their arrays, hold no control characters and are UTF-8; numbers are in their ranges; a row
 * is named with a UUID and a positive queue_seq, or not at all.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "dlq/letter.h"
#include "fuzz.h"
#include "schemas/avro_set.h"

#define HEADERS_MAX 64

static struct avro_set *set;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct err err;
    (void)argc;
    (void)argv;
    CLAIM(schemas_avro_set(&set, &err) == RC_OK);
    return 0;
}

static void check_text(const char *text, size_t max)
{
    size_t n = strnlen(text, max);
    CLAIM(n < max);
    for (size_t i = 0; i < n;) {
        size_t len = utf8_sequence(text + i, n - i);
        CLAIM(len > 0 && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
        i += len;
    }
}

/* Splits the input; returns where the value begins. Names are copied: they end in NUL. */
static size_t split(const uint8_t *data, size_t size, struct arena *a, struct producer_header *headers, size_t *out_n)
{
    size_t at = 0;
    while (at < size) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t n = end == NULL ? size - at : (size_t)(end - (data + at));
        const uint8_t *equals = memchr(data + at, '=', n);
        if (n == 0) {
            return at + 1;
        }
        if (*out_n < HEADERS_MAX) {
            size_t name_n = equals == NULL ? n : (size_t)(equals - (data + at));
            headers[(*out_n)++] = (struct producer_header){.name = arena_strndup(a, (const char *)data + at, name_n),
                                                           .value = equals == NULL ? NULL : (const char *)equals + 1,
                                                           .value_len = equals == NULL ? 0 : n - name_n - 1};
        }
        at += n + 1;
    }
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct producer_header headers[HEADERS_MAX];
    struct letter_reader *reader = NULL; /* one an input: avro-c keeps pointers where the leak checker does not look */
    struct letter l;
    struct arena a;
    struct err err;
    size_t n = 0;
    CLAIM(letter_reader_create(set, &reader, &err) == RC_OK);
    arena_init(&a, 4096);
    size_t at = split(data, size, &a, headers, &n);
    at = at < size ? at : size;
    letter_read(headers, n, "t.", 5, &l);
    const char *const texts[] = {l.topic, l.id, l.type, l.group, l.class, l.stage, l.app, l.message, l.faults};
    const size_t sizes[] = {sizeof(l.topic), sizeof(l.id),  sizeof(l.type),    sizeof(l.group), sizeof(l.class),
                            sizeof(l.stage), sizeof(l.app), sizeof(l.message), sizeof(l.faults)};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        check_text(texts[i], sizes[i]);
    }
    CLAIM(l.partition >= -1 && l.offset >= -1 && l.delivery_count >= -1 && l.redrive_count >= -1 && l.queue_seq >= 0);
    CLAIM(l.last_us >= 0 && l.first_us >= 0);
    letter_find_row(reader, data + at, size - at, &l);
    CLAIM((l.event_id[0] == '\0') == (l.queue_seq == 0));
    CLAIM(l.event_id[0] == '\0' || uuid_check(l.event_id, strlen(l.event_id)));
    check_text(l.platform, sizeof(l.platform));
    arena_done(&a);
    letter_reader_free(reader);
    return 0;
}
