"""The page: one file a tab, shared controls. A handler: controls -> engine -> view -> yield."""
