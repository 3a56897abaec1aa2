// A plugin for clang-tidy 19 with which it walks what the tree declares and not what system headers
// declare. Of those it shows nothing (HeaderFilterRegex), yet matching every check against each of
// their nodes is most of a file's time. The static analyser has a walk of its own and is not
// touched. clang-tidy 22 does the same by itself.
//
// It is a check of the name sallyport-own-code that finds nothing: the unit is matched before its
// children are listed, and then the list is shortened. A template of a system header that the tree
// fills in belongs to the system header, as before; one of the tree's is walked with every
// instantiation.
#include <clang-tidy/ClangTidyCheck.h>
#include <clang-tidy/ClangTidyModule.h>
#include <clang-tidy/ClangTidyModuleRegistry.h>
#include <clang/AST/ASTContext.h>
#include <clang/ASTMatchers/ASTMatchFinder.h>
#include <clang/Basic/SourceManager.h>

#include <vector>

namespace {

class OwnCode : public clang::tidy::ClangTidyCheck {
 public:
  using ClangTidyCheck::ClangTidyCheck;

  void registerMatchers(clang::ast_matchers::MatchFinder* finder) override {
    finder->addMatcher(clang::ast_matchers::translationUnitDecl(), this);
  }

  void check(const clang::ast_matchers::MatchFinder::MatchResult& result) override {
    context_ = result.Context;
    const clang::SourceManager& sources = context_->getSourceManager();
    std::vector<clang::Decl*> own;
    for (clang::Decl* declared : context_->getTranslationUnitDecl()->decls()) {
      if (!sources.isInSystemHeader(declared->getLocation())) own.push_back(declared);
    }
    context_->setTraversalScope(own);
  }

  // What comes after the matchers gets the whole unit.
  void onEndOfTranslationUnit() override {
    context_->setTraversalScope({context_->getTranslationUnitDecl()});
  }

 private:
  clang::ASTContext* context_ = nullptr;
};

class Module : public clang::tidy::ClangTidyModule {
 public:
  void addCheckFactories(clang::tidy::ClangTidyCheckFactories& factories) override {
    factories.registerCheck<OwnCode>("sallyport-own-code");
  }
};

const clang::tidy::ClangTidyModuleRegistry::Add<Module> kAdded("sallyport-module",
                                                               "walks the tree's own code");

}  // namespace
