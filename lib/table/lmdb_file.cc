#include "lib/table/lmdb_file.h"

#include <cerrno>

#include "lib/base/strings.h"
#include "lib/sys/disk_space.h"
#include "lib/sys/error.h"
#include "lib/base/shared_library.h"

namespace postern::table {
namespace {

// What <lmdb.h> declares, as far as it is used here (LMDB 0.9).
struct Env;
struct Txn;
struct Cursor;
struct Val {
    std::size_t size = 0;
    const void* data = nullptr;
};
constexpr unsigned kNoSubdir = 0x4000, kNoSync = 0x10000, kReadOnly = 0x20000, kNoLock = 0x400000;
constexpr unsigned kNoOverwrite = 0x10;
constexpr int kKeyExists = -30799, kNotFound = -30798, kMapFull = -30792, kBadSize = -30781;
constexpr int kFirst = 0, kNext = 8;  // MDB_cursor_op

constexpr std::size_t kMaxKey = 511;
constexpr std::uint64_t kLeastRoom = 16u << 20;

struct LmdbApi {
    int (*env_create)(Env**) = nullptr;
    int (*env_set_mapsize)(Env*, std::size_t) = nullptr;
    int (*env_open)(Env*, const char*, unsigned, mode_t) = nullptr;
    int (*env_sync)(Env*, int) = nullptr;
    void (*env_close)(Env*) = nullptr;
    int (*txn_begin)(Env*, Txn*, unsigned, Txn**) = nullptr;
    int (*txn_commit)(Txn*) = nullptr;
    void (*txn_abort)(Txn*) = nullptr;
    int (*dbi_open)(Txn*, const char*, unsigned, unsigned*) = nullptr;
    int (*get)(Txn*, unsigned, Val*, Val*) = nullptr;
    int (*put)(Txn*, unsigned, Val*, Val*, unsigned) = nullptr;
    int (*del)(Txn*, unsigned, Val*, Val*) = nullptr;
    int (*cursor_open)(Txn*, unsigned, Cursor**) = nullptr;
    int (*cursor_get)(Cursor*, Val*, Val*, int) = nullptr;
    void (*cursor_close)(Cursor*) = nullptr;
    char* (*strerror)(int) = nullptr;

    static Result<LmdbApi> load() {
        TRY_ASSIGN(SharedLibrary library, SharedLibrary::open("liblmdb.so.0", "liblmdb0"));
        LmdbApi api;
        library.bind(api.env_create, "mdb_env_create")
            .bind(api.env_set_mapsize, "mdb_env_set_mapsize")
            .bind(api.env_open, "mdb_env_open")
            .bind(api.env_sync, "mdb_env_sync")
            .bind(api.env_close, "mdb_env_close")
            .bind(api.txn_begin, "mdb_txn_begin")
            .bind(api.txn_commit, "mdb_txn_commit")
            .bind(api.txn_abort, "mdb_txn_abort")
            .bind(api.dbi_open, "mdb_dbi_open")
            .bind(api.get, "mdb_get")
            .bind(api.put, "mdb_put")
            .bind(api.del, "mdb_del")
            .bind(api.cursor_open, "mdb_cursor_open")
            .bind(api.cursor_get, "mdb_cursor_get")
            .bind(api.cursor_close, "mdb_cursor_close")
            .bind(api.strerror, "mdb_strerror");
        TRY(library.check());
        return api;
    }
};

Val val(std::string_view bytes) { return {bytes.size(), bytes.data()}; }
std::string_view bytes_of(const Val& v) { return {static_cast<const char*>(v.data), v.size}; }

// One environment and one transaction: for reading, opened when the file is (a file that changes is
// opened anew); for writing, committed by close().
class LmdbFile final : public MapFile {
  public:
    LmdbFile(const LmdbApi& api, std::string path) : api_(api), path_(std::move(path)) {}
    ~LmdbFile() override {
        if (txn_ != nullptr) api_.txn_abort(txn_);
        if (env_ != nullptr) api_.env_close(env_);
    }
    LmdbFile(const LmdbFile&) = delete;
    LmdbFile& operator=(const LmdbFile&) = delete;

    Result<void> start(MapMode mode, std::uint64_t room) {
        const bool reading = mode == MapMode::read;
        TRY(done("open database", api_.env_create(&env_)));
        // Pages are at least half full; the rest is for the tree and for values on pages of their
        // own.
        if (!reading)
            TRY(done("open database", api_.env_set_mapsize(env_, kLeastRoom + room * 16)));
        const unsigned flags = kNoSubdir | kNoLock | (reading ? kReadOnly : kNoSync);
        TRY(done("open database", api_.env_open(env_, path_.c_str(), flags, 0644)));
        TRY(done("read", api_.txn_begin(env_, nullptr, reading ? kReadOnly : 0, &txn_)));
        return done("read", api_.dbi_open(txn_, nullptr, 0, &dbi_));
    }

    Lookup<std::string> get(std::string_view key) override {
        if (key.empty() || key.size() > kMaxKey) return NotFound{};
        Val wanted = val(key), value;
        const int code = api_.get(txn_, dbi_, &wanted, &value);
        if (code == kNotFound) return NotFound{};
        if (code != 0) return failure("read", code);
        return std::string(bytes_of(value));
    }

    Result<void> each(const Visitor& visit) override {
        Cursor* cursor = nullptr;
        TRY(done("read", api_.cursor_open(txn_, dbi_, &cursor)));
        Val key, value;
        int code = api_.cursor_get(cursor, &key, &value, kFirst);
        for (; code == 0; code = api_.cursor_get(cursor, &key, &value, kNext)) {
            visit(bytes_of(key), bytes_of(value));
        }
        api_.cursor_close(cursor);
        if (code != kNotFound) return failure("read", code);
        return {};
    }

    Result<bool> put(std::string_view key, std::string_view value, bool overwrite) override {
        Val k = val(key), v = val(value);
        const int code = api_.put(txn_, dbi_, &k, &v, overwrite ? 0 : kNoOverwrite);
        if (code == kKeyExists) return false;
        if (code == kBadSize) {
            return Error{Errc::invalid, cat({"write ", path_, ": key \"", printable(key, 60),
                                             "\" is empty or longer than 511 bytes"})};
        }
        if (code != 0) return failure("write", code);
        return true;
    }

    Result<bool> remove(std::string_view key) override {
        Val k = val(key);
        const int code = api_.del(txn_, dbi_, &k, nullptr);
        if (code == kNotFound || code == kBadSize) return false;
        if (code != 0) return failure("write", code);
        return true;
    }

    Result<void> sync() override {
        Txn* txn = std::exchange(txn_, nullptr);
        TRY(done("write", api_.txn_commit(txn)));
        TRY(done("write", api_.env_sync(env_, 1)));
        return done("read", api_.txn_begin(env_, nullptr, 0, &txn_));
    }

    Result<void> close() override {
        Txn* txn = std::exchange(txn_, nullptr);
        TRY(done("write", api_.txn_commit(txn)));
        TRY(done("write", api_.env_sync(env_, 1)));
        api_.env_close(std::exchange(env_, nullptr));
        return {};
    }

  private:
    Error failure(std::string_view doing, int code) const {
        if (code == EIO && is_disk_full()) code = ENOSPC;
        if (code > 0) return sys::system_error(cat({doing, " ", path_}), code);
        const Errc kind = code == kMapFull ? Errc::no_space : Errc::corrupt;
        return Error{kind, cat({doing, " ", path_, ": ", api_.strerror(code)})};
    }
    // The library takes a write that ended early for a damaged disk.
    bool is_disk_full() const {
        constexpr std::uint64_t kPages = 16 * 1024;
        auto room = sys::free_space(path_);
        return room && *room < kPages;
    }
    Result<void> done(std::string_view doing, int code) const {
        if (code != 0) return failure(doing, code);
        return {};
    }

    const LmdbApi api_;
    std::string path_;
    Env* env_ = nullptr;
    Txn* txn_ = nullptr;
    unsigned dbi_ = 0;
};

}  // namespace

Result<std::unique_ptr<MapFile>> open_lmdb(const std::string& path, MapMode mode,
                                           std::uint64_t room) {
    TRY_ASSIGN(const LmdbApi api, LmdbApi::load());
    auto file = std::make_unique<LmdbFile>(api, path);
    TRY(file->start(mode, room));
    return std::unique_ptr<MapFile>(std::move(file));
}

}  // namespace postern::table
