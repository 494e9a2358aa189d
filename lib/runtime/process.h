/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of a process, and what is asked of it. */
#ifndef SLUICE_RUNTIME_PROCESS_H
#define SLUICE_RUNTIME_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Start time in clock ticks since boot (field 22 of /proc/PID/stat), 0 when there is no such process (zombies count
 * as gone). PID and start time together name a process: a PID alone is used again.
 */
uint64_t process_start(pid_t pid);

/* Sets the process_* and sluice_build_info metrics of this process. Thread: any. */
void process_metrics(const char *role, int64_t started_utc_ms);

/* What threads free is used again by others: librdkafka fills buffers in its threads and ours empty them. Before there
 * is a second thread. */
void process_share_memory(void);

/* As many descriptors as the system lets this process have, for whatever holds one for each of many requests. */
void process_raise_descriptors(void);

/* Keeps memory, and with it secrets, out of core files and away from other processes of the user. */
void process_protect(void);

/*
 * As PID 1 (of a container) a process inherits every orphan; the kernel then buries them. Nothing for other processes.
 * For programs that start no children: wait() would find none. Thread: before others are started.
 */
void process_adopt_orphans(void);

/*
 * Blocks SIGTERM and SIGINT, so that they are taken where somebody waits for them, and ignores SIGPIPE. Before any
 * thread is there: all of them inherit the mask.
 */
void process_block_signals(void);

#endif
