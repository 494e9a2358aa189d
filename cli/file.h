/* SPDX-License-Identifier: Apache-2.0 */
/* Files that commands are given by name. */
#ifndef SLUICE_CLI_FILE_H
#define SLUICE_CLI_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/webhook.h"

/* All of the file ("-" = stdin) behind what out has. FATAL: cannot be read, larger than out's ceiling. */
enum rc file_read(const char *path, struct buf *out, struct err *err) MUST_USE;

/* All of text, instead of what the file had ("-" = stdout); new files are 0600. FATAL. */
enum rc file_write(const char *path, const struct buf *text, struct err *err) MUST_USE;
/* The same, 0600; REJECT: the file is there already. */
enum rc file_write_new(const char *path, const struct buf *text, struct err *err) MUST_USE;

/* The keys in a file (webhook.c); what was read is wiped. FATAL; ERR_CONFIG when the content is wrong. */
enum rc webhook_keys_read(const char *path, struct webhook_keys **out_keys, struct err *err) MUST_USE;

#endif
