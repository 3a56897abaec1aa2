/* The IDL of libopenvswitch behind a flat C interface, so that its headers never meet a C++
 * compiler. Rows travel as JSON texts of {column: value} in OVSDB's notation (RFC 7047
 * section 5.1); each table has one key column, "number" in Revision and "name" elsewhere, handed
 * over as text.
 *
 * Thread: all calls from one thread, the one of the poll loop. Row pointers are valid until the
 * next sp_db_run() or transaction call. Failures: told by return values; a library's own bug
 * aborts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sp_db;
typedef const void* sp_row;

enum sp_status { SP_NONE, SP_UNDER_WAY, SP_DONE, SP_AGAIN, SP_FAILED };

struct sp_db* sp_db_open(const char* remote);
void sp_db_close(struct sp_db*);
void sp_db_run(struct sp_db*);
void sp_db_wait(struct sp_db*);
/* The contents have arrived once and the connection is alive. */
bool sp_db_connected(const struct sp_db*);

size_t sp_db_table_count(void);
const char* sp_db_table_name(size_t index);

/* Rows inserted, changed or deleted since the last call; key NULL = a row there was renamed, so
 * that any key may be missing. */
typedef void sp_changed_fn(void* ctx, size_t table, const char* key);
void sp_db_changes(struct sp_db*, sp_changed_fn*, void* ctx);

typedef void sp_key_fn(void* ctx, const char* key);
void sp_db_keys(struct sp_db*, size_t table, sp_key_fn*, void* ctx);
/* NULL when there is none. Logarithmic. */
sp_row sp_db_find(struct sp_db*, size_t table, const char* key);

/* The row as JSON text, to be freed by the caller. */
char* sp_row_json(size_t table, sp_row);
/* Whether every column of `json` has that value; a column that is not named is not looked at. */
bool sp_row_matches(size_t table, sp_row, const char* json);

/* One transaction at a time: begin, changes, commit; then sp_txn_status() until it is not
 * SP_UNDER_WAY any more, which ends it. */
void sp_txn_begin(struct sp_db*);
bool sp_txn_insert(struct sp_db*, size_t table, const char* json);
bool sp_txn_update(struct sp_db*, size_t table, sp_row, const char* json);
void sp_txn_delete(struct sp_db*, sp_row);
enum sp_status sp_txn_status(struct sp_db*);
/* Why the last transaction failed. */
const char* sp_txn_error(const struct sp_db*);

/* The poll loop and its clock (milliseconds, monotonic). */
void sp_loop_fd(int fd, bool read, bool write);
void sp_loop_at(long long ms);
void sp_loop_now(void);
void sp_loop_block(void);
long long sp_loop_clock(void);
void sp_loop_quiet(void); /* the library logs warnings only, to stderr */

/* `ovs-appctl -t PATH sallyport/status`: read-only. `answer` returns a text valid until the next
 * call. */
struct sp_unixctl;
typedef const char* sp_answer_fn(void* ctx);
struct sp_unixctl* sp_unixctl_open(const char* path, sp_answer_fn*, void* ctx);
void sp_unixctl_run(struct sp_unixctl*);
void sp_unixctl_wait(struct sp_unixctl*);
void sp_unixctl_close(struct sp_unixctl*);

#ifdef __cplusplus
}
#endif
