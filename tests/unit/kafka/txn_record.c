/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the transaction coordinator, byte by byte. */
#include "txn_record.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct txn_rec rec;
struct txn_log seen;
struct err txn_err;

void txn_setup(void)
{
    seen = (struct txn_log){0};
}

void txn_teardown(void)
{
    txn_log_done(&seen);
}

void number(uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rec.bytes[rec.n++] = (uint8_t)(v >> (8 * (n - 1 - i)));
    }
}

static void varint(uint32_t v)
{
    for (; v >= 0x80; v >>= 7) {
        number((v & 0x7f) | 0x80, 1);
    }
    number(v, 1);
}

void length(uint32_t n, size_t width)
{
    if (rec.flexible) {
        varint(n + 1);
    } else {
        number(n, width);
    }
}

/* Two fields nobody here knows, the second with a number of five bytes and a length of two. */
void tags(void)
{
    if (rec.flexible) {
        varint(2);
        varint(0);
        varint(8);
        number(0x0102030405060708, 8);
        varint(UINT32_MAX);
        varint(200);
        memset(rec.bytes + rec.n, 0xff, 200);
        rec.n += 200;
    }
}

void no_tags(void)
{
    if (rec.flexible) {
        varint(0);
    }
}

void head(int version, int status)
{
    rec.n = 0;
    rec.flexible = version == 1;
    number((uint64_t)version, 2);
    number(7001, 8);  /* producer id */
    number(3, 2);     /* epoch */
    number(60000, 4); /* time-out */
    number((uint64_t)status, 1);
}

void begin(int version, int status, uint32_t topics)
{
    head(version, status);
    length(topics, 4);
}

void topic_bytes(const char *name, size_t name_n, uint32_t partitions)
{
    length((uint32_t)name_n, 2);
    memcpy(rec.bytes + rec.n, name, name_n);
    rec.n += name_n;
    length(partitions, 4);
}

void topic(const char *name, uint32_t partitions, uint32_t first)
{
    topic_bytes(name, strlen(name), partitions);
    for (uint32_t i = 0; i < partitions; i++) {
        number(first + i, 4);
    }
    tags();
}

void end(void)
{
    number(1700000000000, 8);
    number(1699999999000, 8);
    tags();
}

enum rc add_bytes(const void *bytes, size_t n)
{
    uint8_t *copy CLEANUP(freep) = malloc(n == 0 ? 1 : n);

    cr_assert_not_null(copy);
    memcpy(copy, bytes, n);
    txn_err = (struct err){0};
    return txn_log_add(&seen, copy, n, &txn_err);
}

enum rc add(void)
{
    return add_bytes(rec.bytes, rec.n);
}
