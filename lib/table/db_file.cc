#include "lib/table/db_file.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"

namespace postern::table {
namespace {

DBT view(std::string_view bytes) {
    DBT dbt{};
    dbt.data = const_cast<char*>(bytes.data());  // Berkeley DB reads keys and values only
    dbt.size = static_cast<u_int32_t>(bytes.size());
    return dbt;
}

std::string_view bytes_of(const DBT& dbt) { return {static_cast<const char*>(dbt.data), dbt.size}; }

// A table of ordinary size is kept whole, as far as it is used. Of a larger one Berkeley DB keeps
// little: replacing its pages costs more than reading them again from the kernel's cache.
u_int32_t reader_cache(const std::string& path) {
    constexpr std::uint64_t kLeast = 256u << 10, kMost = 32u << 20;
    const auto info = sys::RealFs::instance().info(path);
    if (!info || info->size > kMost) return kLeast;
    return static_cast<u_int32_t>(std::max(info->size, kLeast));
}

// Entries come in any order: what does not fit is written and read again for each of them. The file
// becomes about twice as large as its keys and values.
u_int32_t builder_cache(std::uint64_t room) {
    constexpr std::uint64_t kLeast = 16u << 20, kMost = 256u << 20;
    return static_cast<u_int32_t>(std::clamp(2 * room, kLeast, kMost));
}

// Berkeley DB would write its diagnostics to standard error; ours travel in the Error.
void silent(const DB_ENV*, const char*, const char*) {}

}  // namespace

Error DbFile::failure(std::string_view doing, int code) const {
    if (code > 0) return sys::system_error(cat({doing, " ", path_}), code);
    return Error{Errc::corrupt, cat({doing, " ", path_, ": ", db_strerror(code)}), 0};
}

Result<std::unique_ptr<MapFile>> DbFile::open(MapType type, const std::string& path, MapMode mode,
                                              std::uint64_t room) {
    DB* db = nullptr;
    if (const int error = db_create(&db, nullptr, 0); error != 0) {
        return Error{Errc::temporary, cat({"open database ", path, ": ", db_strerror(error)})};
    }
    std::unique_ptr<DbFile> file(new DbFile(db, path));
    db->set_errcall(db, silent);
    if (mode == MapMode::read) db->set_cachesize(db, 0, reader_cache(path), 1);
    if (mode == MapMode::create) db->set_cachesize(db, 0, builder_cache(room), 1);
    if (mode == MapMode::create && type == MapType::hash) db->set_h_nelem(db, 4096);
    // Never memory-mapped: another program may shorten the file under our feet.
    const u_int32_t flags = mode == MapMode::read     ? DB_RDONLY | DB_NOMMAP
                            : mode == MapMode::create ? DB_CREATE
                                                      : 0u;
    const int error = db->open(db, nullptr, path.c_str(), nullptr,
                               type == MapType::hash ? DB_HASH : DB_BTREE, flags, 0644);
    if (error != 0) return file->failure("open database", error);
    return std::unique_ptr<MapFile>(std::move(file));
}

Lookup<std::string> DbFile::get(std::string_view key) {
    DBT wanted = view(key);
    DBT value{};
    const int error = db_->get(db_.get(), nullptr, &wanted, &value, 0);
    if (error == DB_NOTFOUND) return NotFound{};
    if (error != 0) return failure("read", error);
    return std::string(bytes_of(value));
}

Result<bool> DbFile::put(std::string_view key, std::string_view value, bool overwrite) {
    DBT k = view(key);
    DBT v = view(value);
    const int error = db_->put(db_.get(), nullptr, &k, &v, overwrite ? 0 : DB_NOOVERWRITE);
    if (error == DB_KEYEXIST) return false;
    if (error != 0) return failure("write", error);
    return true;
}

Result<bool> DbFile::remove(std::string_view key) {
    DBT k = view(key);
    const int error = db_->del(db_.get(), nullptr, &k, 0);
    if (error == DB_NOTFOUND) return false;
    if (error != 0) return failure("write", error);
    return true;
}

Result<void> DbFile::each(const Visitor& visit) {
    DBC* cursor = nullptr;
    if (const int error = db_->cursor(db_.get(), nullptr, &cursor, 0); error != 0) {
        return failure("read", error);
    }
    DBT key{};
    DBT value{};
    int error = 0;
    while ((error = cursor->get(cursor, &key, &value, DB_NEXT)) == 0) {
        visit(bytes_of(key), bytes_of(value));
    }
    cursor->close(cursor);
    if (error != DB_NOTFOUND) return failure("read", error);
    return {};
}

Result<void> DbFile::sync() {
    if (const int error = db_->sync(db_.get(), 0); error != 0) return failure("write", error);
    return {};
}

Result<void> DbFile::close() {
    DB* db = db_.release();
    if (const int error = db->close(db, 0); error != 0) return failure("write", error);
    return {};
}

}  // namespace postern::table
