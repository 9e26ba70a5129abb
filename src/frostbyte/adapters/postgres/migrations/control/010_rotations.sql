-- Operations that make a tenant's keys anew and move nobody.

ALTER TABLE operations DROP CONSTRAINT operations_kind_check;
ALTER TABLE operations ADD CONSTRAINT operations_kind_check CHECK (
    kind IN ('provision', 'suspend', 'resume', 'deprovision',
        'rotate_age', 'rotate_certificates', 'rotate_credentials', 'rotate_keys')
);
