/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running roles record themselves as ROLE.PID.json in the runtime directory, so that `sluice health` and ./dev find
 * them and their ports.
 *
 *     {"role": "relay", "pid": 123, "start": 456789, "http": "127.0.0.1:7001", "instance": "host:123:456789"}
 *
 * A record whose process is gone, or is another one that got the same PID, is stale: ignored, and removed when found.
 * The directory belongs to one user and one PID name space; containers must not share it.
 */
#ifndef SLUICE_RUNTIME_RECORD_H
#define SLUICE_RUNTIME_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/option.h"

struct record {
    char role[32];
    pid_t pid;
    uint64_t start; /* process_start() */
    char http[80];
    char instance[128];
};

/* The directory by option runtime.dir or its default; heap text the caller frees. */
char *record_dir(const struct config *cfg) MUST_USE;

/* Writes the record atomically, making the directory (0700) when it is missing. FATAL: not ours, not writable. */
enum rc record_write(const char *dir, const struct record *rec, struct err *err) MUST_USE;
/* Removes it; nothing to say when it is not there. */
void record_remove(const char *dir, const char *role, pid_t pid);

/*
 * Live records of a role (NULL = all), in no order, at most max. No directory = none. *out_n counts them. Removes stale
 * ones.
 */
enum rc record_list(const char *dir, const char *role, struct record *out, size_t max, size_t *out_n,
                    struct err *err) MUST_USE;

#endif
