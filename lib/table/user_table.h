// Tables of users: unix:passwd.byname and unix:group.byname (the system's, through the C library)
// and passwdfile:PATH (Postern's own mail users:
// "user:{SCHEME}hash:uid:gid:gecos:home:shell:extra").
#pragma once

#include <map>
#include <memory>
#include <string>

#include "lib/table/source.h"
#include "lib/table/table.h"

namespace postern::table {

// Results have the form of a line of /etc/passwd or /etc/group.
class UnixTable final : public Table {
  public:
    enum class Kind : bool { passwd, group };
    static Result<std::unique_ptr<Table>> open(std::string_view name, Fold fold);

    UnixTable(Kind kind, Fold fold) : kind_(kind), fold_(fold) {}
    Lookup<std::string> lookup(std::string_view key) override;

  private:
    Kind kind_;
    Fold fold_;
};

// Keyed by user name, without regard to case. The result is the rest of the line with the password
// replaced by "x": "x:1000:1000::/home/u1". The file is read again when it changed;
// before there is one, there are no users.
class PasswdFileTable final : public Table {
  public:
    static Result<std::unique_ptr<Table>> open(std::string_view path);

    Lookup<std::string> lookup(std::string_view key) override;
    Result<void> each(const Visitor& visit) override;

  private:
    explicit PasswdFileTable(std::string_view path) : file_(std::string(path)) {}
    Result<void> refresh();

    FileWatch file_;
    bool loaded_ = false;
    std::map<std::string, std::string, std::less<>> users_;
};

}  // namespace postern::table
