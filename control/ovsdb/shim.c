#include "control/ovsdb/shim.h"

#include <config.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "control/schema/gateway_idl.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "ovsdb-data.h"
#include "ovsdb-error.h"
#include "ovsdb-idl-provider.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"

struct sp_db {
  struct ovsdb_idl* idl;
  struct ovsdb_idl_txn* txn;
  struct ovsdb_idl_index** by_key; /* one per table */
  char* error;
};

static const struct ovsdb_idl_table_class* table_class(size_t table) {
  return &gwrec_idl_class.tables[table];
}

static const struct ovsdb_idl_column* find_column(size_t table, const char* name) {
  const struct ovsdb_idl_table_class* class = table_class(table);
  for (size_t i = 0; i < class->n_columns; i++)
    if (!strcmp(class->columns[i].name, name)) return &class->columns[i];
  return NULL;
}

static const struct ovsdb_idl_column* key_column(size_t table) {
  const struct ovsdb_idl_column* number = find_column(table, "number");
  return number ? number : find_column(table, "name");
}

static char* datum_key(const struct ovsdb_idl_column* column, const struct ovsdb_datum* datum) {
  if (!datum->n) return xstrdup("");
  if (column->type.key.type == OVSDB_TYPE_INTEGER)
    return xasprintf("%lld", (long long)datum->keys[0].integer);
  return xstrdup(json_string(datum->keys[0].s));
}

static char* row_key(size_t table, const struct ovsdb_idl_row* row) {
  const struct ovsdb_idl_column* column = key_column(table);
  /* What a deleted row was is kept until the changes have been read. */
  const bool deleted = !row->new_datum && row->tracked_old_datum;
  return datum_key(column, deleted
                               ? &row->tracked_old_datum[column - table_class(table)->columns]
                               : ovsdb_idl_read(row, column));
}

struct sp_db* sp_db_open(const char* remote) {
  struct sp_db* db = xzalloc(sizeof *db);
  db->idl = ovsdb_idl_create(remote, &gwrec_idl_class, true, true);
  ovsdb_idl_track_add_all(db->idl);
  db->by_key = xcalloc(gwrec_idl_class.n_tables, sizeof *db->by_key);
  for (size_t table = 0; table < gwrec_idl_class.n_tables; table++)
    db->by_key[table] = ovsdb_idl_index_create1(db->idl, key_column(table));
  return db;
}

void sp_db_close(struct sp_db* db) {
  if (!db) return;
  if (db->txn) ovsdb_idl_txn_destroy(db->txn);
  ovsdb_idl_destroy(db->idl); /* the indexes with it */
  free(db->by_key);
  free(db->error);
  free(db);
}

void sp_db_run(struct sp_db* db) { ovsdb_idl_run(db->idl); }

void sp_db_wait(struct sp_db* db) {
  ovsdb_idl_wait(db->idl);
  if (db->txn) ovsdb_idl_txn_wait(db->txn);
}

bool sp_db_connected(const struct sp_db* db) {
  return ovsdb_idl_has_ever_connected(db->idl) && ovsdb_idl_is_connected(db->idl);
}

size_t sp_db_table_count(void) { return gwrec_idl_class.n_tables; }
const char* sp_db_table_name(size_t index) { return table_class(index)->name; }

/* A row that got another key: whatever it was called before is missing now. */
static bool renamed(size_t table, const struct ovsdb_idl_row* row) {
  return ovsdb_idl_row_get_seqno(row, OVSDB_IDL_CHANGE_MODIFY) > 0 &&
         ovsdb_idl_track_is_updated(row, key_column(table));
}

void sp_db_changes(struct sp_db* db, sp_changed_fn* changed, void* ctx) {
  for (size_t table = 0; table < gwrec_idl_class.n_tables; table++) {
    const struct ovsdb_idl_row* row = ovsdb_idl_track_get_first(db->idl, table_class(table));
    for (; row; row = ovsdb_idl_track_get_next(row)) {
      if (renamed(table, row)) changed(ctx, table, NULL);
      char* key = row_key(table, row);
      changed(ctx, table, key);
      free(key);
    }
  }
  ovsdb_idl_track_clear(db->idl);
}

void sp_db_keys(struct sp_db* db, size_t table, sp_key_fn* visit, void* ctx) {
  const struct ovsdb_idl_row* row = ovsdb_idl_first_row(db->idl, table_class(table));
  for (; row; row = ovsdb_idl_next_row(row)) {
    char* key = row_key(table, row);
    visit(ctx, key);
    free(key);
  }
}

sp_row sp_db_find(struct sp_db* db, size_t table, const char* key) {
  const struct ovsdb_idl_column* column = key_column(table);
  const bool integer = column->type.key.type == OVSDB_TYPE_INTEGER;
  struct json* json = integer ? json_integer_create(atoll(key)) : json_string_create(key);
  struct ovsdb_datum datum;
  struct ovsdb_error* error = ovsdb_datum_from_json(&datum, &column->type, json, NULL);
  json_destroy(json);
  if (error) { /* no row can have that key */
    ovsdb_error_destroy(error);
    return NULL;
  }
  struct ovsdb_idl_row* probe = ovsdb_idl_index_init_row(db->by_key[table]);
  ovsdb_idl_index_write(probe, column, &datum, table_class(table)); /* takes the datum */
  const struct ovsdb_idl_row* found = ovsdb_idl_index_find(db->by_key[table], probe);
  ovsdb_idl_index_destroy_row(probe);
  return found;
}

char* sp_row_json(size_t table, sp_row row) {
  const struct ovsdb_idl_table_class* class = table_class(table);
  struct json* object = json_object_create();
  for (size_t i = 0; i < class->n_columns; i++) {
    const struct ovsdb_idl_column* column = &class->columns[i];
    json_object_put(object, column->name,
                    ovsdb_datum_to_json_deep(ovsdb_idl_read(row, column), &column->type));
  }
  char* text = json_to_string(object, 0);
  json_destroy(object);
  return text;
}

/* Each column of the JSON object as a datum; false when one is unknown or malformed. */
typedef bool column_fn(void* ctx, const struct ovsdb_idl_column*, struct ovsdb_datum*);
static bool each_column(size_t table, const char* text, column_fn* visit, void* ctx) {
  struct json* object = json_from_string(text);
  bool fine = object->type == JSON_OBJECT;
  if (fine) {
    struct shash_node* node;
    SHASH_FOR_EACH(node, json_object(object)) {
      const struct ovsdb_idl_column* column = find_column(table, node->name);
      struct ovsdb_datum datum;
      struct ovsdb_error* error =
          column ? ovsdb_datum_from_json(&datum, &column->type, node->data, NULL)
                 : ovsdb_error("unknown column", "%s", node->name);
      if (error) {
        ovsdb_error_destroy(error);
        fine = false;
        break;
      }
      if (!visit(ctx, column, &datum)) {
        fine = false;
        break;
      }
    }
  }
  json_destroy(object);
  return fine;
}

static bool column_equals(void* ctx, const struct ovsdb_idl_column* column,
                          struct ovsdb_datum* datum) {
  const bool same = ovsdb_datum_equals(ovsdb_idl_read(ctx, column), datum, &column->type);
  ovsdb_datum_destroy(datum, &column->type);
  return same;
}

bool sp_row_matches(size_t table, sp_row row, const char* json) {
  return each_column(table, json, column_equals, (void*)(uintptr_t)row);
}

static bool column_write(void* ctx, const struct ovsdb_idl_column* column,
                         struct ovsdb_datum* datum) {
  ovsdb_idl_txn_write(ctx, column, datum); /* takes the datum */
  return true;
}

void sp_txn_begin(struct sp_db* db) { db->txn = ovsdb_idl_txn_create(db->idl); }

bool sp_txn_insert(struct sp_db* db, size_t table, const char* json) {
  const struct ovsdb_idl_row* row = ovsdb_idl_txn_insert(db->txn, table_class(table), NULL);
  return each_column(table, json, column_write, (void*)(uintptr_t)row);
}

bool sp_txn_update(struct sp_db* db, size_t table, sp_row row, const char* json) {
  (void)db;
  return each_column(table, json, column_write, (void*)(uintptr_t)row);
}

void sp_txn_delete(struct sp_db* db, sp_row row) {
  (void)db;
  ovsdb_idl_txn_delete(row);
}

enum sp_status sp_txn_status(struct sp_db* db) {
  if (!db->txn) return SP_NONE;
  const enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(db->txn);
  if (status == TXN_INCOMPLETE) return SP_UNDER_WAY;
  free(db->error);
  db->error = xstrdup(ovsdb_idl_txn_get_error(db->txn));
  ovsdb_idl_txn_destroy(db->txn);
  db->txn = NULL;
  switch (status) {
    case TXN_UNCHANGED:
    case TXN_SUCCESS:
      return SP_DONE;
    case TXN_TRY_AGAIN:
      return SP_AGAIN;
    default:
      return SP_FAILED;
  }
}

const char* sp_txn_error(const struct sp_db* db) { return db->error ? db->error : ""; }

void sp_loop_fd(int fd, bool read, bool write) {
  const int events = (read ? POLLIN : 0) | (write ? POLLOUT : 0);
  if (events) poll_fd_wait(fd, (short)events);
}
void sp_loop_at(long long ms) { poll_timer_wait_until(ms); }
void sp_loop_now(void) { poll_immediate_wake(); }
void sp_loop_block(void) { poll_block(); }
long long sp_loop_clock(void) { return time_msec(); }
void sp_loop_quiet(void) {
  set_program_name("sallyport-control");
  vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
  vlog_set_levels(NULL, VLF_CONSOLE, VLL_WARN);
}

struct sp_unixctl {
  struct unixctl_server* server;
  sp_answer_fn* answer;
  void* ctx;
};

static void unixctl_status(struct unixctl_conn* conn, int argc, const char* argv[], void* aux) {
  (void)argc;
  (void)argv;
  const struct sp_unixctl* self = aux;
  unixctl_command_reply(conn, self->answer(self->ctx));
}

struct sp_unixctl* sp_unixctl_open(const char* path, sp_answer_fn* answer, void* ctx) {
  struct sp_unixctl* self = xzalloc(sizeof *self);
  self->answer = answer;
  self->ctx = ctx;
  if (unixctl_server_create(path, &self->server)) {
    free(self);
    return NULL;
  }
  unixctl_command_register("sallyport/status", "", 0, 0, unixctl_status, self);
  return self;
}
void sp_unixctl_run(struct sp_unixctl* self) { unixctl_server_run(self->server); }
void sp_unixctl_wait(struct sp_unixctl* self) { unixctl_server_wait(self->server); }
void sp_unixctl_close(struct sp_unixctl* self) {
  if (!self) return;
  unixctl_server_destroy(self->server);
  free(self);
}
