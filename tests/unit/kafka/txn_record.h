/* SPDX-License-Identifier: Apache-2.0 */
/* Builds records of the transaction coordinator byte by byte, in either version, and takes them into one txn_log. */
#ifndef SLUICE_TESTS_TXN_RECORD_H
#define SLUICE_TESTS_TXN_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kafka/txn_log.h"

enum { EMPTY, ONGOING, PREPARE_COMMIT, PREPARE_ABORT, COMPLETE_COMMIT, COMPLETE_ABORT, DEAD, PREPARE_EPOCH_FENCE };

struct txn_rec {
    uint8_t bytes[65536];
    size_t n;
    bool flexible; /* version 1: compact lengths and tagged fields */
};

extern struct txn_rec rec;  /* the one that is being built */
extern struct txn_log seen; /* what they said */
extern struct err txn_err;  /* of the last one taken */

void txn_setup(void);    /* .init of a suite */
void txn_teardown(void); /* .fini */

/* Begins a record, up to its status and up to its topics. */
void head(int version, int status);
void begin(int version, int status, uint32_t topics);
/* A topic with partitions from first on; in version 1 with tagged fields nobody knows. */
void topic(const char *name, uint32_t partitions, uint32_t first);
/* Its beginning alone; the partitions follow, and in version 1 tagged fields. */
void topic_bytes(const char *name, size_t name_n, uint32_t partitions);
/* Ends the record: times, and tagged fields. */
void end(void);

void number(uint64_t v, size_t n);     /* big-endian, of n bytes */
void length(uint32_t n, size_t width); /* of width bytes in version 0; UINT32_MAX = null */
void tags(void);
void no_tags(void);

/* Takes the record, or these bytes, from memory of exactly that size: a byte too many is seen by ASan. */
enum rc add(void) MUST_USE;
enum rc add_bytes(const void *bytes, size_t n) MUST_USE;

#endif
